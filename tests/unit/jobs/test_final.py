"""The fits of the final job: which callbacks stay, what results tell, what a death costs."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hydra import initialize_config_dir
from omegaconf import OmegaConf
from quiet import quiet_trainer
from small_configs import composed

from lightning_hpo.callbacks.inspection import Filters, GradCam, IntegratedGradients
from lightning_hpo.callbacks.records import BestPredictions, LastPredictions
from lightning_hpo.data.folds import Split
from lightning_hpo.entry import config_dir
from lightning_hpo.fitting.plan import TrialPlan
from lightning_hpo.jobs import final
from lightning_hpo.protocol.messages import FitResult, JobContext
from lightning_hpo.protocol.seeds import derive_seed
from lightning_hpo.protocol.stages import Stage

STOPPING = {
    "_target_": "pytorch_lightning.callbacks.EarlyStopping",
    "monitor": "${monitor}",
    "patience": 5,
}
TIMER = {"_target_": "pytorch_lightning.callbacks.Timer"}


def config() -> Any:
    cv = {"search": "holdout", "n_splits": 2, "val_fraction": 0.25, "stratified": True}
    cv |= {"parallel": "serial", "final": True}
    callbacks = {"early_stopping": STOPPING, "timer": TIMER, "none": None}
    found = {"seed": 7, "monitor": "val/loss", "mode": "min", "cv": cv, "callbacks": callbacks}
    return OmegaConf.create(found)


def test_early_stopping_is_dropped_from_a_copy_and_other_callbacks_stay() -> None:
    cfg = config()
    OmegaConf.set_struct(cfg, True)
    assert final.without_early_stopping(cfg).callbacks == {"timer": TIMER}
    assert list(cfg.callbacks) == ["early_stopping", "timer", "none"]


# Rule: the final job draws the attribution methods that looked in while the network trained.
def test_the_attribution_methods_are_those_of_the_callbacks() -> None:
    looking_in = [IntegratedGradients(), Filters(), GradCam(layer="features.0")]
    names = [m.name for m in final.attribution_methods(quiet_trainer(callbacks=looking_in))]
    assert names == ["integrated_gradients", "grad_cam"]
    assert final.attribution_methods(quiet_trainer()) == []


Asked = tuple[Any, Split, list[Any]]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Asked]:
    """What each fit was asked; its val/loss is 0.25 in the first and 0.5 in the last epoch."""
    fits: list[Asked] = []

    def fit(cfg: Any, split: Split, seed: int, context: JobContext, observers: Any) -> FitResult:
        fits.append((cfg, split, observers))
        metrics = {"train/loss": 0.5, "val/loss": 0.25, "seconds": 1.0}
        last = {"train/loss": 0.125, "val/loss": 0.5}
        stages: dict[str, Stage] = {"train/loss": "train", "val/loss": "val"}
        curve = {"epoch": [0, 1], "val/loss": [0.25, 0.5]}
        return FitResult(0.25, 0, 2, metrics, 1.0, last=last, stages=stages, curve=curve)

    monkeypatch.setattr(final, "fit", fit)
    return fits


# Rule: the other folds choose the epoch at which a fold is judged, but under a schedule its last
# one counts, as the refit's does, and with study.final_epochs the one at which the refit ends.
def test_at_which_epoch_a_fold_is_judged(tmp_path: Path, asked: list[Asked]) -> None:
    cfg = config()
    cfg.cv.repeats = 2
    cfg.study = {"fold": 3}
    found = final.run_fold(cfg, JobContext(tmp_path))
    at_best = {"train/loss": 0.5, "val/loss": 0.25, "seconds": 1.0}
    assert (found["fold"], found["value"], found["metrics"]) == (3, 0.25, at_best)
    assert (found["judged_at"], found["mode"], found["repeat"]) == ("others", "min", 1)
    assert found["curve"] == {"epoch": [0, 1], "val/loss": [0.25, 0.5]}

    cfg.study.final_epochs = 2
    found = final.run_fold(cfg, JobContext(tmp_path))
    assert (found["judged_at"], found["final_epochs"], found["value"]) == ("fixed", 2, 0.5)
    assert (found["metrics"], found["best_epoch"]) == ({"val/loss": 0.5, "seconds": 1.0}, 0)

    # A schedule of fewer epochs is not the beginning of a longer one.
    cfg.scheduler = {"_target_": "a.schedule"}
    found = final.run_fold(cfg, JobContext(tmp_path))
    at_end = {"train/loss": 0.125, "val/loss": 0.5, "seconds": 1.0}
    assert (found["value"], found["metrics"], found["best_epoch"]) == (0.5, at_end, 0)
    assert found["judged_at"] == "last"
    assert json.loads((tmp_path / "result.json").read_text()) == found
    kept = [[type(o) for o in observers if "Predictions" in str(o)] for *_, observers in asked]
    assert kept == [[BestPredictions], [BestPredictions], [LastPredictions]]


def test_the_result_tells_the_best_and_the_last_epoch(tmp_path: Path, asked: list[Asked]) -> None:
    found = final.run_holdout(config(), JobContext(tmp_path))
    assert found["last"] == {"train/loss": 0.125, "val/loss": 0.5}
    assert (found["val_fraction"], found["best_epoch"], found["epochs"]) == (0.25, 0, 2)
    assert json.loads((tmp_path / "result.json").read_text()) == found
    ((cfg, split, _),) = asked
    assert list(cfg.callbacks) == ["timer"]
    assert (split.method, split.val_fraction, split.seed) == ("holdout", 0.25, 7)
    assert (split.draw, found["new_split"]) == (1, True)


# Rule: the refit takes the epochs that were asked for, else those up to the best epoch of the mean
# of all folds, but with a schedule all epochs, since it ends with them. Folds of an older study,
# without a curve, advise the mean of their best epochs.
def test_how_long_the_refit_trains(tmp_path):
    curves = {3: [4, 4, 4, 1, 4, 4, 2], 6: [4, 4, 4, 4, 4, 4, 0]}
    for fold, (best_epoch, losses) in enumerate(curves.items()):
        folder = tmp_path / f"fold_{fold}"
        folder.mkdir()
        curve = {"epoch": list(range(7)), "val/loss": losses}
        found = {"fold": fold, "best_epoch": best_epoch, "curve": curve}
        (folder / "result.json").write_text(json.dumps(found))
    cfg = config()
    cfg.cv.final, cfg.study = True, {}

    assert final._refit_epochs(cfg, TrialPlan.of(cfg), tmp_path) == 7
    (tmp_path / "fold_0" / "result.json").write_text('{"fold": 0, "best_epoch": 3}')
    assert final._refit_epochs(cfg, TrialPlan.of(cfg), tmp_path) == round((4 + 7) / 2)
    cfg.scheduler, cfg.trainer = {"_target_": "a.schedule"}, {"max_epochs": 9}
    assert final._refit_epochs(cfg, TrialPlan.of(cfg), tmp_path) == 9
    cfg.study = {"final_epochs": 50}
    assert final._refit_epochs(cfg, TrialPlan.of(cfg), tmp_path) == 50


# Rule: each refit has seeds of its own for its weights and for its training, all different; the
# first trains by the study's seed, as the search does.
def test_the_seeds_of_the_refits() -> None:
    assert final._refit_seeds(7, None) == (derive_seed(7, "refit"), 7)
    assert final._refit_seeds(7, 2) == (
        derive_seed(7, "refit", 2),
        derive_seed(7, "refit", 2, "data"),
    )
    seeds = [
        s for study in (7, 8) for number in (None, 1, 2) for s in final._refit_seeds(study, number)
    ]
    assert len(set(seeds)) == len(seeds)


# Rule: a refit trains on batches of its own seed, and stacks drop by it.
@pytest.mark.parametrize("number", [None, 3])
@pytest.mark.parametrize("stacked", [False, True])
def test_a_refit_trains_by_its_own_seed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int | None, *, stacked: bool
) -> None:
    class Trains(Exception):
        """Far enough."""

    def train(*given: Any, **named: Any) -> None:
        asked.append((given, named))
        raise Trains

    asked: list[Any] = []
    monkeypatch.setattr(final, "train_in_place" if stacked else "_train_refit", train)
    (tmp_path / "refit").mkdir()
    chosen = ["data=curve", "model=mlp", "cv.parallel=stacked"] if stacked else []
    with initialize_config_dir(str(config_dir())):
        cfg = composed("seed=7", f"+study.refit={number or 'null'}", *chosen)
    with pytest.raises(Trains):
        final.run_refit(cfg, JobContext(tmp_path / "refit"))
    ((given, named),) = asked
    data = given[2] if stacked else given[3]
    expected = 7 if number is None else derive_seed(7, "refit", number, "data")
    assert data.training_seed == expected and data.seed == 7
    assert (named["seed"] if stacked else given[4]) == expected


class Killed(BaseException):
    """The end of a process, as far as a test can tell of it."""


# Rule: the result is there before the first figure, and a process that dies while it draws costs
# the figures and no second fit; folds that were made again since then do.
@pytest.mark.filterwarnings("ignore::UserWarning:(pytorch_)?lightning")
@pytest.mark.filterwarnings("ignore:Experiment logs directory")
def test_a_death_while_drawing_costs_figures_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(*_: Any, **__: Any) -> None:
        raise Killed

    monkeypatch.setattr(final, "explain", dies)
    folder, fold = tmp_path / "refit", tmp_path / "fold_0" / "result.json"
    folder.mkdir()
    with initialize_config_dir(str(config_dir())):
        cfg = composed("trainer.max_epochs=1")
    with pytest.raises(Killed):
        final.run_refit(cfg, JobContext(folder))
    stored = json.loads((folder / "result.json").read_text())
    assert stored["left_out"] == {"figures": "the process ended while they were drawn"}
    assert stored["test"].keys() == {"test/loss", "test/accuracy"}
    # Rule: what was fitted is stated, and the data describe themselves with the test open.
    assert (stored["training_samples"], stored["batch_size"]) == (200, cfg.data.batch_size)
    assert stored["network"] == "FCClassifier: 3 linear layers"
    assert stored["device"].startswith("cpu, ")
    assert stored["data_description"]["samples"] == {"train": 1437, "test": 360}
    # Another fit would die again.
    assert final.run_refit(cfg, JobContext(folder)) == stored
    fold.parent.mkdir()
    fold.write_text('{"fold": 0, "epochs": 1, "best_epoch": 0, "metrics": {}}')
    later = (folder / "result.json").stat().st_mtime + 10
    os.utime(fold, (later, later))
    with pytest.raises(Killed):
        final.run_refit(cfg, JobContext(folder))
