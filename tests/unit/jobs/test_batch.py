"""What a process does with a batch of trials, without preparing or training any."""

import os
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hydra.core.utils import JobReturn, JobStatus

from lightning_hpo.jobs import batch, run
from lightning_hpo.launchers.job import Batch, Job
from lightning_hpo.stack.module import Group, TimeIsUp
from lightning_hpo.stack.training import Stopping

SETUP: Any = type("Setup", (), {"threads": 1})
Trained = Callable[[Sequence[Any], Callable[[Any], None]], None]


class Fits:
    """Stands in for the folds of one trial."""

    stopping = Stopping()

    def __init__(self, report: Callable[[int, float], None] | None = None) -> None:
        self.group = Group([], report)


class Trial:
    """Stands in for a prepared trial: ends with ``end``, a result or an error."""

    def __init__(self, end: Any, **of_fits: Any) -> None:
        self.end = end
        self.fits = Fits(**of_fits)
        self.plan = SimpleNamespace(scheduled=False)
        self.cfg = self.context = self.live = None

    def conclude(self) -> Any:
        if isinstance(self.end, Exception):
            raise self.end
        return self.end


def in_turn(fits: Sequence[Any], on_end: Callable[[Any], None]) -> None:
    for each in fits:
        on_end(each)


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[tuple[int, Any]]]:
    """The answers to jobs that are prepared as these trials, or fail with these errors."""

    def given(
        *prepared: Any, train: Trained = in_turn, timeout_s: float | None = None
    ) -> list[tuple[int, Any]]:
        def prepares(job: Job, setup: Any, task: Any) -> JobReturn:
            assert (setup, task) == (SETUP, run.prepare)
            found = prepared[job.id]
            is_error = isinstance(found, Exception)
            ret = JobReturn(status=JobStatus.FAILED if is_error else JobStatus.COMPLETED)
            ret.return_value = found
            return ret

        monkeypatch.setattr(batch, "run_hydra_job", prepares)
        monkeypatch.setattr(batch, "with_row", lambda cfg, context, live, end: end())
        monkeypatch.setattr(batch, "train", lambda fits, stop, on_end: train(fits, on_end))
        told: list[tuple[int, Any]] = []
        jobs = tuple(Job(number, (), timeout_s=timeout_s) for number in range(len(prepared)))
        batch.run_batch(
            Batch(jobs), SETUP, lambda job, ret: told.append((job.id, ret._return_value))
        )
        return told

    return given


def test_each_trial_is_answered_when_it_ends(answers) -> None:
    def last_first(fits: Sequence[Any], on_end: Callable[[Any], None]) -> None:
        in_turn(fits[::-1], on_end)

    assert answers(Trial(0.5), Trial(0.25), train=last_first) == [(1, 0.25), (0, 0.5)]


# Rule: what keeps one trial from its training keeps none of the others from theirs.
def test_a_trial_that_cannot_be_prepared_is_answered_at_once(answers) -> None:
    mistake = ValueError("no such layer")
    assert answers(Trial(0.5), mistake, Trial(0.25)) == [(1, mistake), (0, 0.5), (2, 0.25)]


def test_without_a_trial_nothing_is_trained(answers) -> None:
    def refused(*_: Any) -> None:
        raise AssertionError("nothing is there to be trained")

    errors = [ValueError("one"), ValueError("two")]
    assert answers(*errors, train=refused) == [(0, errors[0]), (1, errors[1])]


def test_a_trial_that_ends_with_an_error_is_answered_with_it(answers) -> None:
    diverged = RuntimeError("val/loss became nan")
    assert answers(Trial(diverged), Trial(0.25)) == [(0, diverged), (1, 0.25)]


# Rule: what ends the stack is the end of the trials that are still in it, and of no other.
def test_an_error_of_the_stack_ends_those_that_still_train(answers) -> None:
    broken = RuntimeError("out of memory")

    def breaks_after_one(fits: Sequence[Any], on_end: Callable[[Any], None]) -> None:
        on_end(fits[1])
        raise broken

    ended = answers(Trial(0.5), Trial(0.25), Trial(0.75), train=breaks_after_one)
    assert ended == [(1, 0.25), (0, broken), (2, broken)]


def reported_at(monkeypatch: pytest.MonkeyPatch, *seconds: float) -> Trained:
    """A training whose fits report epoch 0, 1, ... at these times after the batch's start."""

    def train(fits: Sequence[Any], on_end: Callable[[Any], None]) -> None:
        for epoch, now_s in enumerate(seconds):
            monkeypatch.setattr(batch.time, "monotonic", lambda now_s=now_s: 100 + now_s)
            for each in fits:
                each.group.report(epoch, 0.5)

    monkeypatch.setattr(batch.time, "monotonic", lambda: 100.0)
    return train


# Rule: a trial may run for study.trial_timeout_s; the batch's start counts, preparation and all.
def test_a_trial_that_runs_too_long_is_stopped_by_its_own_limit(answers, monkeypatch) -> None:
    told: list[tuple[int, float]] = []
    trial = Trial(0.5, report=lambda epoch, value: told.append((epoch, value)))
    training = reported_at(monkeypatch, 3, 5, 5.5)
    ((number, end),) = answers(trial, train=training, timeout_s=5)
    assert (number, type(end)) == (0, TimeIsUp)
    assert str(end) == "the job ran longer than study.trial_timeout_s=5"
    assert told == [(0, 0.5), (1, 0.5)]


def test_a_limit_holds_where_nothing_is_reported_too(answers, monkeypatch) -> None:
    ((_, end),) = answers(Trial(0.5), train=reported_at(monkeypatch, 1, 7.5), timeout_s=7)
    assert isinstance(end, TimeIsUp)


def test_without_a_limit_a_trial_reports_as_it_did(answers) -> None:
    trial = Trial(0.5, report=lambda epoch, value: None)
    report = trial.fits.group.report
    answers(trial)
    assert trial.fits.group.report is report


# Rule: the process takes other batches afterwards, and finds all as it was.
def test_a_batch_leaves_the_process_as_it_was(answers, monkeypatch, two_threads: int) -> None:
    monkeypatch.delenv("LEFT_BY_A_BATCH", raising=False)
    seen: list[int] = []

    def untidy(fits: Sequence[Any], on_end: Callable[[Any], None]) -> None:
        seen.append(torch.get_num_threads())
        os.environ["LEFT_BY_A_BATCH"] = "1"
        in_turn(fits, on_end)

    answers(Trial(0.5), train=untidy)
    assert seen == [1]
    assert torch.get_num_threads() == two_threads
    assert "LEFT_BY_A_BATCH" not in os.environ
