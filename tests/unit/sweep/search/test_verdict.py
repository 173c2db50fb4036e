"""What a job's end means for its trial."""

import errno
import itertools
import math
from unittest.mock import MagicMock

import optuna
import pytest
from hydra.core.utils import JobReturn, JobStatus
from hydra.errors import ConfigCompositionException
from optuna.exceptions import StorageInternalError
from optuna.trial import TrialState

from lightning_hpo.errors import ProcessDied, UserError
from lightning_hpo.launchers.job import SlotDied
from lightning_hpo.protocol.messages import TrialResult
from lightning_hpo.sweep.search.verdict import Verdict, judge


class Odd:
    """No number, and it says so in a way of its own."""

    def __float__(self) -> float:
        raise ArithmeticError("no float")

    def __repr__(self) -> str:
        return "<odd>"


class OddlyShown(Odd):
    def __repr__(self) -> str:
        raise RuntimeError("no repr")


class OddError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no str")


def returned(value) -> JobReturn:
    ret = JobReturn(status=JobStatus.COMPLETED)
    ret.return_value = value
    return ret


def raised(error: Exception) -> JobReturn:
    ret = JobReturn(status=JobStatus.FAILED)
    ret.return_value = error
    return ret


def test_a_number_completes_the_trial():
    assert judge(returned(0.25), n_objectives=1) == Verdict(TrialState.COMPLETE, values=[0.25])


def test_several_objectives_complete_with_as_many_numbers():
    verdict = judge(returned([1, 2.5]), n_objectives=2)
    assert verdict == Verdict(TrialState.COMPLETE, values=[1.0, 2.5])


def test_a_pruned_trial_is_pruned_and_nothing_else():
    pruned = optuna.TrialPruned("pruned at epoch 3")
    # Also returned: so that Hydra logs no failure.
    for end in (raised(pruned), returned(pruned)):
        verdict = judge(end, n_objectives=1)
        assert verdict == Verdict(TrialState.PRUNED, reason="pruned at epoch 3")
    wordless = judge(raised(optuna.TrialPruned()), n_objectives=1)
    assert wordless == Verdict(TrialState.PRUNED, reason="")


@pytest.mark.parametrize(
    ("value", "n_objectives", "reason"),
    [
        (math.nan, 1, "the objective must be a number, got nan"),
        (None, 1, "the objective must be a number, got None"),
        ("0.25", 1, "the objective must be a number, got '0.25'"),
        ([1.0, "2"], 2, "the objective must be 2 numbers, got [1.0, '2']"),
        ([1.0], 2, "the objective must have 2 values, got [1.0]"),
        ([1, 2, 3], 2, "the objective must have 2 values, got [1, 2, 3]"),
        (itertools.count(), 2, "the objective must have 2 values, got count(3)"),
        ([1.0, math.nan], 2, "the objective must be 2 numbers, got [1.0, nan]"),
        (1.0, 2, "must be 2 numbers, got 1.0"),
        ("12", 2, "the objective must be 2 numbers, got '12'"),
        ({1: 2, 3: 4}, 2, "must be 2 numbers, got {1: 2, 3: 4}"),
        pytest.param(
            10**5000, 1, "got an int that cannot be shown (ValueError: Exceeds the limit", id="huge"
        ),
        pytest.param(10**400, 1, "(OverflowError: int too large to convert to float)", id="large"),
        ("x" * 10**6, 1, "xxx... (1000002 characters)"),
        (1j, 1, "got 1j"),
        (Odd(), 1, "got <odd> (ArithmeticError: no float)"),
        (OddlyShown(), 1, "got an OddlyShown that cannot be shown (RuntimeError: no repr)"),
    ],
)
def test_an_objective_that_is_none_fails_with_the_reason(value, n_objectives, reason):
    verdict = judge(returned(value), n_objectives=n_objectives)
    assert verdict.state is TrialState.FAIL
    assert reason in verdict.reason
    assert not verdict.retry


def test_an_exception_that_cannot_be_shown_fails_the_trial_all_the_same():
    verdict = judge(raised(OddError()), n_objectives=1)
    reason = "OddError: no message, for its __str__ raised RuntimeError"
    assert verdict == Verdict(TrialState.FAIL, reason=reason)


def test_an_exception_that_cannot_be_unpickled_is_named_as_it_was():
    verdict = judge(raised(RuntimeError("Remote mine.Trainer.<locals>.Odd: no")), n_objectives=1)
    assert verdict == Verdict(TrialState.FAIL, reason="Odd: no")


def test_a_stand_in_that_has_every_attribute_was_stopped_after_no_fold():
    verdict = judge(returned(MagicMock(__float__=lambda self: 0.5)), n_objectives=1)
    assert verdict == Verdict(TrialState.COMPLETE, values=[0.5])


def test_an_exception_fails_the_trial_with_its_type_and_message():
    verdict = judge(raised(ZeroDivisionError("by zero")), n_objectives=1)
    assert verdict == Verdict(TrialState.FAIL, reason="ZeroDivisionError: by zero")


def test_a_dead_process_fails_the_trial_but_may_be_retried():
    verdict = judge(SlotDied("was killed by SIGKILL"), n_objectives=1)
    assert verdict == Verdict(TrialState.FAIL, reason="was killed by SIGKILL", retry=True)


def test_a_disk_without_room_is_nobodys_fault_and_ends_the_sweep():
    verdict = judge(raised(OSError(errno.ENOSPC, "No space left on device")), n_objectives=1)
    assert (verdict.retry, verdict.blamed) == (True, False)
    assert "must be able to write its files" in str(verdict.mistake)


def test_a_storage_that_failed_in_a_worker_is_tried_again():
    verdict = judge(raised(StorageInternalError("locked")), n_objectives=1)
    assert verdict == Verdict(TrialState.FAIL, reason="locked", retry=True)


@pytest.mark.parametrize("error", [UserError("no"), ConfigCompositionException("no")])
def test_a_users_mistake_is_marked_as_one(error):
    verdict = judge(raised(error), n_objectives=1)
    assert verdict.state is TrialState.FAIL
    assert str(verdict.mistake) == "no"


def test_a_trial_that_the_wilcoxon_pruner_stopped_is_complete_and_says_where():
    verdict = judge(returned(TrialResult(0.5, (), stopped_after_fold=3)), n_objectives=1)
    assert verdict == Verdict(TrialState.COMPLETE, values=[0.5], stopped_after_fold=3)


def test_a_rank_that_was_killed_is_tried_again():
    verdict = judge(raised(ProcessDied("rank 1 died of SIGKILL")), n_objectives=1)
    assert (verdict.state, verdict.retry) == (TrialState.FAIL, True)
    assert verdict.reason == "rank 1 died of SIGKILL"
