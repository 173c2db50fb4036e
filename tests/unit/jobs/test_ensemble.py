"""The refits as one model: its outputs, its test result, and why there may be none."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from checkpoints import opened
from hydra import initialize_config_dir
from small_configs import composed

from lightning_hpo.data.digits import DigitsDataModule
from lightning_hpo.entry import config_dir
from lightning_hpo.explain.final import Drawn
from lightning_hpo.jobs.ensemble import run_ensemble
from lightning_hpo.jobs.final import run_refit
from lightning_hpo.models.ensemble import Ensemble
from lightning_hpo.models.fc import FCClassifier
from lightning_hpo.protocol.folder import FinalFolder
from lightning_hpo.protocol.messages import JobContext
from lightning_hpo.protocol.samples import read_samples

# Lightning's, on its loggers, intervals and idle hardware.
pytestmark = [
    pytest.mark.filterwarnings("ignore::UserWarning:(pytorch_)?lightning"),
    pytest.mark.filterwarnings("ignore:Experiment logs directory"),
]


@pytest.fixture(autouse=True)
def _without_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lightning_hpo.jobs.final.explain", lambda *_, **__: Drawn())


def refitted(final_dir: Path, *overrides: str) -> Any:
    """The configuration of two refits, which are done."""
    with initialize_config_dir(str(config_dir())):
        cfg = composed("trainer.max_epochs=2", "study.n_refits=2", *overrides)
    for name, number in (("refit", None), ("refit_1", 1)):
        (final_dir / name).mkdir(parents=True)
        cfg.study.refit = number
        run_refit(cfg, JobContext(final_dir / name))
    return cfg


def ensemble(cfg: Any, final_dir: Path) -> dict[str, Any]:
    folder = final_dir / "ensemble"
    folder.mkdir(exist_ok=True)
    return run_ensemble(cfg, JobContext(folder))


# Rule: the ensemble gives the mean of its members' outputs, from its own file as in its test.
def test_the_ensemble_is_the_mean_of_its_members(tmp_path: Path) -> None:
    cfg, final = refitted(tmp_path, "model.test_time_flip=true"), FinalFolder(tmp_path)
    found = ensemble(cfg, tmp_path)
    assert (found["n"], found["no_test"], found["no_model"]) == (2, None, None)
    assert json.loads(final.ensemble.result.read_text()) == found

    model = opened(Ensemble, final.ensemble_checkpoint).eval()
    members = [
        opened(FCClassifier, path).eval()
        for path in (final.checkpoint, final.job("refit_1").checkpoint)
    ]
    data = opened(DigitsDataModule, final.ensemble_checkpoint)
    data.setup("test")
    x, y = data.normalised(data.raw("test")[0]), data.raw("test")[1]
    with torch.no_grad():
        outputs = model(x)
        apart = [member.evaluated(x) for member in members]
    torch.testing.assert_close(outputs, (apart[0] + apart[1]) / 2)
    assert (apart[0] - apart[1]).abs().max() > 0.1
    right = (outputs.argmax(1) == y).float().mean().item()
    loss = torch.nn.functional.cross_entropy(outputs, y).item()
    assert found["test"] == pytest.approx({"test/accuracy": right, "test/loss": loss}, rel=1e-4)
    kept = read_samples(final.ensemble.samples)
    assert kept is not None
    np.testing.assert_allclose(kept.output, outputs, atol=1e-4)


# Rule: of numbers it is the mean value, also of networks that were trained as a stack.
def test_the_ensemble_of_stacked_regressors(tmp_path: Path) -> None:
    chosen = ["data=curve", "model=mlp", "cv=kfold", "cv.parallel=stacked", "callbacks=none"]
    cfg, final = refitted(tmp_path, *chosen, "cv.final=false"), FinalFolder(tmp_path)
    found = ensemble(cfg, tmp_path)
    members = [read_samples(refit.samples) for refit in final.refits()]
    assert members[0] is not None
    assert members[1] is not None
    mean = (members[0].output + members[1].output) / 2
    expected = float(((mean - members[0].target) ** 2).mean())
    assert found["test"] == pytest.approx({"test/loss": expected})
    assert found["no_model"] is None
    assert final.ensemble_checkpoint.is_file()


def test_why_there_is_no_ensemble(tmp_path: Path) -> None:
    cfg, final = refitted(tmp_path, "study.ensemble=false"), FinalFolder(tmp_path)
    assert not final.job("refit_1").checkpoint.exists()
    final.job("refit_1").samples.unlink()
    final.ensemble_checkpoint.write_text("of an earlier try")
    found = ensemble(cfg, tmp_path)
    assert found["no_model"] == "refit_1/model.ckpt is missing or damaged"
    assert (found["test"], found["no_test"]) == ({}, "refit_1 kept no test samples")
    assert not final.ensemble_checkpoint.exists()
