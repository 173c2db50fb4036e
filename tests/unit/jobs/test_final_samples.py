"""What the folds' networks gave, settled when all of them are done."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hydra import initialize_config_dir
from small_configs import composed

from lightning_hpo.entry import config_dir
from lightning_hpo.explain.calibration import fitted_temperature
from lightning_hpo.explain.final import Drawn
from lightning_hpo.explain.reliability import calibrate, reliability_figure
from lightning_hpo.jobs.final import fold_results, run_fold, run_refit
from lightning_hpo.protocol.files import written_object
from lightning_hpo.protocol.folder import FinalFolder
from lightning_hpo.protocol.judging import judged
from lightning_hpo.protocol.messages import JobContext
from lightning_hpo.protocol.samples import read_samples

# Lightning's, on its loggers, intervals and idle hardware.
pytestmark = [
    pytest.mark.filterwarnings("ignore::UserWarning:(pytorch_)?lightning"),
    pytest.mark.filterwarnings("ignore:Experiment logs directory"),
]
STACKED = ["data=curve", "model=mlp", "cv=kfold", "cv.parallel=stacked", "callbacks=none"]


@pytest.fixture(autouse=True)
def _without_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lightning_hpo.jobs.final.explain", lambda *_, **__: Drawn())


def finished(final_dir: Path, *overrides: str) -> FinalFolder:
    """Two folds and the refit, done."""
    asked = ["cv.final=true", "cv.n_splits=2", "trainer.max_epochs=4", *overrides]
    with initialize_config_dir(str(config_dir())):
        cfg: Any = composed(*asked)
    for fold in range(2):
        cfg.study.fold = fold
        (final_dir / f"fold_{fold}").mkdir(parents=True)
        run_fold(cfg, JobContext(final_dir / f"fold_{fold}"))
        assert FinalFolder(final_dir).fold(fold).outputs.is_file()
    cfg.study.fold = None
    (final_dir / "refit").mkdir()
    run_refit(cfg, JobContext(final_dir / "refit"))
    return FinalFolder(final_dir)


# Rule: a fold's samples are of the epoch that it is judged at: their mean loss is its value there.
@pytest.mark.parametrize(
    "overrides", [[], ["scheduler=cosine"], ["study.final_epochs=2"], STACKED], ids=str
)
def test_a_fold_keeps_what_it_gave_at_its_epoch(tmp_path: Path, overrides: list[str]) -> None:
    final = finished(tmp_path, *overrides)
    expected = judged(fold_results(tmp_path), "val/loss")
    for fold, epoch, metrics in zip(final.folds(), expected.epochs, expected.metrics, strict=True):
        found = read_samples(fold.samples)
        assert found is not None
        assert (found.epoch, found.metric) == (epoch, "val/loss")
        assert found.loss.mean() == pytest.approx(metrics["val/loss"], rel=1e-4)
        assert found.index.tolist() == np.load(fold.indices)["val"].tolist()
        assert not fold.outputs.exists()
    assert read_samples(final.refit.samples) is not None


# Rule: a classifier's temperature is the folds', its effect is told of the test samples too.
def test_a_classifier_is_calibrated_on_its_folds(tmp_path: Path) -> None:
    final = finished(tmp_path)
    found = written_object(final.refit.result)["calibration"]
    assert found == written_object(final.calibration)
    folds = [samples for fold in final.folds() if (samples := read_samples(fold.samples))]
    logits, target = (np.concatenate([getattr(f, k) for f in folds]) for k in ("output", "target"))
    assert found["temperature"] == pytest.approx(fitted_temperature(logits, target))
    assert [found["ece"][where]["n"] for where in ("held_out", "test")] == [200, 360]
    assert found["test_loss"]["low"] < found["test_loss"]["high"]
    assert (
        reliability_figure(final)["reliability"].get_suptitle() == "Reliability on 360 test samples"
    )

    final.fold(1).samples.unlink()
    assert calibrate(final) == {"temperature": None, "why": "fold_1 kept no logits"}
    assert not final.calibration.exists()
    assert reliability_figure(final) == {}


def test_numbers_have_no_temperature(tmp_path: Path) -> None:
    final = finished(tmp_path, *STACKED)
    assert written_object(final.refit.result)["calibration"] is None
    assert not final.calibration.exists()
