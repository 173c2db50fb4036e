"""Folds of a classifier as one stack against the same folds trained by stock Lightning."""

import json
import sys
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig
from optuna.trial import TrialState

from lightning_hpo.entry import config_dir
from lightning_hpo.jobs.trial import run_trial
from lightning_hpo.protocol.folder import StudyFolder
from lightning_hpo.protocol.messages import JobContext
from lightning_hpo.protocol.trial_values import read_trial_values

sys.path.insert(0, str(Path(__file__).parent))
from command import run, trials

SMALL_CNN = (
    *("model=cnn", "model.filters_1=3", "model.filters_2=5"),
    *("model.neurons_1=12", "model.neurons_2=7"),
)
DIGITS = ("data=digits", "data.train_limit=230", "data.batch_size=32", "trainer.accelerator=cpu")
FOLDS = ("cv=kfold", "cv.n_splits=3", "trainer.max_epochs=4", "+trainer.log_every_n_steps=1")


def config(*overrides: str) -> DictConfig:
    with initialize_config_dir(str(config_dir())):
        cfg = compose("config", overrides=[*DIGITS, *FOLDS, "callbacks=none", *overrides])
    GlobalHydra.instance().clear()
    return cfg


# Rule: without dropout, each fold gives the serial fold's numbers, at the same epochs.
@pytest.mark.parametrize(
    "choices",
    [
        (*SMALL_CNN, "optimizer=adam", "scheduler=cosine", "model.label_smoothing=0.1"),
        (*SMALL_CNN, "optimizer=sgd", "augment=standard"),
        ("model=fc", "optimizer=radam", "callbacks=early_stopping"),
    ],
)
def test_each_fold_is_what_a_stock_fit_gives(tmp_path: Path, choices: tuple[str, ...]) -> None:
    serial, stacked = (
        run_trial(config(f"cv.parallel={how}", *choices), JobContext(tmp_path / how), None)
        for how in ("serial", "stacked")
    )
    for theirs, ours in zip(serial.fits, stacked.fits, strict=True):
        assert (ours.best_epoch, ours.epochs) == (theirs.best_epoch, theirs.epochs)
        assert ours.stages == theirs.stages
        assert ours.curve["epoch"] == theirs.curve["epoch"]
        for name in ("val/loss", "val/accuracy"):
            assert ours.curve[name] == pytest.approx(theirs.curve[name], rel=2e-3), name
        assert ours.metrics["train/loss"] == pytest.approx(theirs.metrics["train/loss"], rel=2e-3)
    assert stacked.value == pytest.approx(serial.value, rel=2e-3)
    theirs, ours = (
        read_trial_values(tmp_path / how / "losses.npz") for how in ("serial", "stacked")
    )
    assert theirs is not None and ours is not None
    assert ours.index.tolist() == theirs.index.tolist()
    assert ours.values == pytest.approx(theirs.values, rel=2e-2, abs=2e-3)


SEARCH = (
    *DIGITS,
    *SMALL_CNN,
    *("cv=kfold", "cv.n_splits=2", "trainer.max_epochs=3"),
    *(
        "hydra/sweeper/sampler=random",
        "pruner.n_startup_trials=100",
        "callbacks=none",
        "study.n_trials=5",
    ),
    *("optimizer.lr=choice(0.003, 0.01, 1e9)", "model.filters_1=choice(2, 6)"),
    *("study.configured_first=false", "hydra.sweeper.max_failure_rate=1"),
)


# Rule: a whole study of stacked classifiers ends as one whose folds train one after the other, its
# final job included; trials of other widths share a stack, and one that diverges fails alone.
@pytest.mark.sweep
def test_a_study_of_stacks_ends_as_one_of_serial_folds(tmp_path: Path) -> None:
    ways = {
        "serial": (),
        "stacked": ("cv.parallel=stacked", "hydra/launcher=stacked", "study.batch=3"),
    }
    for name, more in ways.items():
        status, _, err = run(tmp_path, *SEARCH, f"study.dir={tmp_path / name}", *more)
        assert (status, err) == (0, "")
    serial, stacked = (trials(tmp_path / name) for name in ways)
    assert {t.state for t in serial} == {TrialState.COMPLETE, TrialState.FAIL}
    assert {t.params["model.filters_1"] for t in serial} == {2, 6}
    for theirs, ours in zip(serial, stacked, strict=True):
        assert (ours.params, ours.state) == (theirs.params, theirs.state)
        if ours.state is TrialState.COMPLETE:
            assert ours.value == pytest.approx(theirs.value, rel=2e-3)
    results = [json.loads(StudyFolder(tmp_path / name).results.read_text()) for name in ways]
    tests = [found["test"] for found in results]
    for name in ("test/loss", "test/accuracy"):
        assert tests[1][name] == pytest.approx(tests[0][name], rel=1e-2)
    for name in ways:
        refit = StudyFolder(tmp_path / name).final.refit
        header = refit.metrics.read_text().splitlines()[0]
        assert "train/loss" in header and "train/accuracy" in header
