"""A pruned trial returns that it was pruned, with one line in its log."""

import logging
import pickle

import optuna
import pytest

from lightning_hpo.launchers.pruned import pruned_in_one_line


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
