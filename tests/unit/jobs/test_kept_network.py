"""Which trials keep their network, and what is read of one."""

from pathlib import Path

import optuna
import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

from lightning_hpo.fitting.plan import TrialPlan
from lightning_hpo.fitting.serial import fit
from lightning_hpo.fitting.splits import search_split
from lightning_hpo.jobs import kept_network
from lightning_hpo.protocol.folder import JobFolder
from lightning_hpo.protocol.messages import JobContext

# Lightning's, on its loggers, intervals and idle hardware.
pytestmark = [
    pytest.mark.filterwarnings("ignore::UserWarning:(pytorch_)?lightning"),
    pytest.mark.filterwarnings("ignore:Experiment logs directory"),
]
CONF = Path(__file__).parents[3] / "conf"
SMALL = ["data=curve", "model=mlp", "callbacks=none", "trainer.max_epochs=2", "cv=holdout"]


def config(study_dir: Path, *overrides: str) -> DictConfig:
    with initialize_config_dir(str(CONF)):
        told = [f"study.dir={study_dir}", "trainer.accelerator=cpu", *SMALL]
        return compose("config", overrides=[*told, *overrides])


def keeps(cfg: DictConfig, folder: Path, *, live: object | None = None, fold: int = 0) -> bool:
    """Whether a fit leaves its network in ``folder``."""
    live = optuna.create_study().ask() if live is None else live
    with kept_network.keeping(cfg, TrialPlan.of(cfg), folder, live, fold) as observers:
        fit(cfg, search_split(cfg, fold), 0, JobContext(folder), observers)
    return JobFolder(folder).network.exists()


def test_what_is_kept_is_a_value_the_epochs_and_a_state_dict(tmp_path: Path) -> None:
    assert keeps(config(tmp_path), tmp_path)
    network = kept_network.stored(JobFolder(tmp_path))
    assert network is not None
    assert network.epochs == 2
    assert network.value > 0
    assert all(isinstance(tensor, torch.Tensor) for tensor in network.weights.values())
    assert [path.name for path in tmp_path.glob("network*")] == ["network.pt"]


@pytest.mark.parametrize("override", ["study.showcase=false", "study.final=false"])
def test_nothing_is_kept_where_no_trial_is_shown(tmp_path: Path, override: str) -> None:
    assert not keeps(config(tmp_path, override), tmp_path)


def test_nothing_is_kept_of_a_later_fold_or_outside_a_study(tmp_path: Path) -> None:
    assert not keeps(config(tmp_path, "cv=kfold", "cv.n_splits=2"), tmp_path, fold=1)
    assert not keeps(config(tmp_path), tmp_path, live=object())


# Rule: the networks of all of a study's trials together stay below the limit.
def test_a_network_that_is_large_for_so_many_trials_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_network, "MOST_BYTES", 100_000)
    # 1 x 100 + 100 + 100 x 1 + 1 parameters of four bytes.
    wide = ["model.neurons={layer_1: 100}", "model.depth=1"]
    assert keeps(config(tmp_path, *wide, "study.n_trials=10"), tmp_path)
    many = tmp_path / "many"
    assert not keeps(config(many, *wide, "study.n_trials=100"), many)


def test_a_damaged_file_counts_as_none(tmp_path: Path) -> None:
    assert kept_network.stored(JobFolder(tmp_path)) is None
    JobFolder(tmp_path).network.write_bytes(b"PK half of it")
    assert kept_network.stored(JobFolder(tmp_path)) is None
