"""Workers with real processes; makes the helpers of this folder importable."""

import sys
from pathlib import Path

import pytest
import warm
from hydra import compose, initialize_config_dir
from hydra._internal.callbacks import Callbacks
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import HydraContext

from lightning_hpo.launchers.workers import Workers

sys.path.insert(0, str(Path(__file__).parent))
from slots_run import CONFIG, HERE


@pytest.fixture
def make_workers(tmp_path, monkeypatch):
    """Workers on a configuration of their own, whose task functions stand beside this file.

    Their processes start warm; those of ``test_slot``'s bare slots start cold.
    """
    monkeypatch.syspath_prepend(str(HERE))
    import jobs_for_slots

    conf = tmp_path / "conf"
    conf.mkdir()
    (conf / "config.yaml").write_text(
        CONFIG.format(folder=tmp_path / "sweep", ballast="x" * 100_000)
    )
    initialize_config_dir(str(conf), job_name="slots")
    config = compose("config", return_hydra_config=True)
    HydraConfig.instance().set_config(config)
    context = HydraContext(GlobalHydra.instance().config_loader(), Callbacks())
    try:
        with warm.spawning():
            yield lambda n_slots=1: Workers(
                n_slots=n_slots,
                threads="auto",
                hydra_context=context,
                task_function=jobs_for_slots.task,
                config=config,
            )
    finally:
        GlobalHydra.instance().clear()
        HydraConfig.instance().cfg = None
        sys.modules.pop("jobs_for_slots", None)
