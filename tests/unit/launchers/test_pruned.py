"""A pruned trial returns that it was pruned, with one line in its log."""

import logging
import pickle
from types import SimpleNamespace

import optuna
import pytest
from hydra._internal.core_plugins.basic_launcher import BasicLauncher

from lightning_hpo.launchers.pruned import log_prunes_in_one_line, pruned_in_one_line
from lightning_hpo.output import streams


def raising(error: Exception):
    def task(cfg: object) -> float:
        raise error

    return pruned_in_one_line(task)


@pytest.mark.parametrize(
    ("words", "logged"),
    [
        ("pruned at epoch 2 with val/loss=0.5", "trial pruned at epoch 2 with val/loss=0.5"),
        ("too slow", "trial pruned: too slow"),
        ("", "trial pruned: "),
    ],
)
def test_a_pruned_trial_is_returned_and_logged_in_one_line(
    words: str, logged: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        returned = raising(optuna.TrialPruned(words))(None)
    assert isinstance(returned, optuna.TrialPruned)
    # Its frames would hold the whole fit.
    assert returned.__traceback__ is None
    assert pickle.loads(pickle.dumps(returned)).args == (words,)
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("INFO", logged)
    ]


# Rule: a task that logs what it raises on leaves one line too, with masked secrets or without.
@pytest.mark.parametrize("masks", [False, True])
def test_what_the_task_itself_logs_of_a_pruned_trial_has_no_frames(caplog, masks):
    log = logging.getLogger("of.the.task")

    def task(cfg: object) -> float:
        for error in (optuna.TrialPruned("pruned at epoch 1"), ValueError("odd")):
            try:
                raise error
            except Exception:
                log.exception("wrapper:")
        raise optuna.TrialPruned("pruned at epoch 1")

    if masks:
        streams.mask_output()
    before = logging.getLogRecordFactory()
    with caplog.at_level(logging.INFO):
        pruned_in_one_line(task)(None)
    assert caplog.record_tuples == [
        ("of.the.task", logging.INFO, "wrapper: pruned at epoch 1"),
        ("of.the.task", logging.ERROR, "wrapper:"),
        ("lightning_hpo.launchers.pruned", logging.INFO, "trial pruned at epoch 1"),
    ]
    assert caplog.text.count("Traceback") == 1
    assert logging.getLogRecordFactory() is before


# Rule: what runs in this process or elsewhere gets the task that logs in one line; joblib, which
# may look for a task by its name, does not.
def test_launchers_are_given_the_task_that_logs_in_one_line():
    basic = BasicLauncher()
    log_prunes_in_one_line(basic, raising)
    assert basic.task_function is not None and basic.task_function.__wrapped__ is raising
    other = SimpleNamespace(task_function=raising)
    log_prunes_in_one_line(other, raising)
    assert other.task_function is raising


def test_any_other_error_is_raised_as_it_was() -> None:
    error = ZeroDivisionError("by zero")
    with pytest.raises(ZeroDivisionError) as caught:
        raising(error)(None)
    assert caught.value is error


def test_a_value_is_returned_and_the_task_keeps_its_name() -> None:
    def task(cfg: float) -> float:
        return cfg + 1

    wrapped = pruned_in_one_line(task)
    assert (wrapped(1.0), wrapped.__name__) == (2.0, "task")
