"""What the folds' networks gave, settled when all of them are done."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hydra import initialize_config_dir
from small_configs import composed

from lightning_hpo.entry import config_dir
from lightning_hpo.explain.final import Drawn
from lightning_hpo.jobs.final import fold_results, run_fold, run_refit
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
def test_a_fold_keeps_what_it_gave_at_its_epoch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, overrides: list[str]
) -> None:
    monkeypatch.setattr("lightning_hpo.jobs.final.explain", lambda *_, **__: Drawn())
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
