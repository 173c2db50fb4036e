"""A trial's row in TensorBoard, whichever way the trial ends; nothing is trained."""

import math
from collections.abc import Callable
from pathlib import Path

import optuna
import pytest
from hparams_rows import hparams_rows
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from lightning_hpo.entry import config_dir
from lightning_hpo.jobs.hparams import with_row
from lightning_hpo.protocol.messages import JobContext, TrialResult

Run = Callable[[], TrialResult]


def config(tmp_path: Path, *overrides: str) -> DictConfig:
    with initialize_config_dir(str(config_dir())):
        where = [f"study.dir={tmp_path}", "study.name=s"]
        return compose("config", overrides=["data=digits", "model=fc", *where, *overrides])


def live(*values: float) -> optuna.trial.Trial:
    trial = optuna.create_study().ask()
    for step, value in enumerate(values):
        trial.report(value, step)
    return trial


def raises(error: Exception) -> Run:
    def run() -> TrialResult:
        raise error

    return run


def objectives(folder: Path) -> list[float]:
    found = EventAccumulator(str(folder)).Reload()
    has_one = "objective" in found.Tags()["scalars"]
    return [event.value for event in found.Scalars("objective")] if has_one else []


def test_a_complete_trial_has_its_value(tmp_path: Path) -> None:
    result = TrialResult(0.25, ())
    context = JobContext(tmp_path, {"optimizer.lr": 0.5})
    assert with_row(config(tmp_path), context, live(0.5, 0.25), lambda: result) is result
    (row,) = hparams_rows(tmp_path)
    assert row == {"optimizer.lr": 0.5, "state": "complete", "status": "STATUS_SUCCESS"}
    assert objectives(tmp_path) == [0.25]


# Rule: a pruned trial has the best value that it reported, under a schedule the last one.
@pytest.mark.parametrize(
    ("overrides", "value"), [([], 0.25), (["scheduler=cosine"], 0.5), (["mode=max"], 1.0)]
)
def test_a_pruned_trial_has_what_it_reported(
    tmp_path: Path, overrides: list[str], value: float
) -> None:
    cfg = config(tmp_path, *overrides)
    with pytest.raises(optuna.TrialPruned):
        with_row(
            cfg, JobContext(tmp_path), live(1.0, 0.25, 0.5, math.nan), raises(optuna.TrialPruned())
        )
    assert hparams_rows(tmp_path) == [{"state": "pruned", "status": "STATUS_SUCCESS"}]
    assert objectives(tmp_path) == [value]


def test_a_failed_trial_has_none(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="odd"):
        with_row(config(tmp_path), JobContext(tmp_path), live(1.0), raises(ValueError("odd")))
    assert hparams_rows(tmp_path) == [{"state": "failed", "status": "STATUS_FAILURE"}]
    assert objectives(tmp_path) == []


def test_without_tensorboard_there_is_no_row(tmp_path: Path) -> None:
    cfg = config(tmp_path, "logger=csv")
    with_row(cfg, JobContext(tmp_path), live(), lambda: TrialResult(0.25, ()))
    assert list(tmp_path.iterdir()) == []
