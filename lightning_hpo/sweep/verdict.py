"""What a job's end means for its trial: complete, pruned, failed; again, or never again."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import optuna
from hydra.errors import HydraException
from optuna.exceptions import StorageInternalError
from optuna.trial import TrialState

from lightning_hpo.errors import ProcessDied, StudyFailed, UserError, one_line
from lightning_hpo.launchers.slot import SlotDied
from lightning_hpo.sweep.writing import hinders

if TYPE_CHECKING:
    from hydra.core.utils import JobReturn


@dataclass(frozen=True)
class Verdict:
    """The state to tell the study, with the reason of a failure.

    ``retry``: the trial itself may be fine, what it ran on was not; ``blamed``: it is one of the
    tries that a trial has. ``mistake``: every further trial would fail in the same way, so the
    sweep ends. ``stopped_after_fold``: the Wilcoxon pruner was sure then, and the value is the mean
    of the folds up to it.
    """

    state: TrialState
    values: Sequence[float] | None = None
    reason: str | None = None
    retry: bool = False
    blamed: bool = True
    mistake: UserError | None = None
    stopped_after_fold: int | None = None


def judge(
    end: "JobReturn | SlotDied", *, n_objectives: int, study_dir: Path | None = None
) -> Verdict:
    """The verdict on a job that returned, raised or lost its process; it wrote in ``study_dir``."""
    from hydra.core.utils import JobStatus

    if isinstance(end, SlotDied):
        return Verdict(TrialState.FAIL, reason=end.reason, retry=end.retry, blamed=end.blamed)
    # Not `end.return_value`, which prints to the terminal and raises for a job that failed.
    value = end._return_value
    if end.status is JobStatus.COMPLETED:
        return _judge_value(value, n_objectives)
    if isinstance(value, optuna.TrialPruned):
        return Verdict(TrialState.PRUNED, reason=str(value))
    if isinstance(value, StorageInternalError | ProcessDied):
        return Verdict(TrialState.FAIL, reason=one_line(value), retry=True)
    if isinstance(value, OSError) and hinders(value, study_dir):
        mistake = UserError(f"a trial must be able to write its files, but: {one_line(value)}.")
        return Verdict(
            TrialState.FAIL, reason=str(mistake), retry=True, blamed=False, mistake=mistake
        )
    if isinstance(value, UserError | HydraException):
        mistake = UserError(one_line(value))
        return Verdict(TrialState.FAIL, reason=str(mistake), mistake=mistake)
    return Verdict(TrialState.FAIL, reason=f"{type(value).__name__}: {one_line(value)}")


def required_result(end: "JobReturn | SlotDied", *, failure: str) -> Any:
    """What a job returned that has to succeed, unlike a trial.

    Raises the user's mistake as it is, else :class:`StudyFailed` with ``failure``, in which
    ``{reason}`` stands for the reason.
    """
    from hydra.core.utils import JobStatus

    if not isinstance(end, SlotDied) and end.status is JobStatus.COMPLETED:
        return end._return_value
    verdict = judge(end, n_objectives=1)
    if verdict.mistake is not None:
        raise verdict.mistake
    raise StudyFailed(failure.replace("{reason}", str(verdict.reason)))


def _judge_value(value: Any, n_objectives: int) -> Verdict:
    try:
        values = [_number(value)] if n_objectives == 1 else [_number(v) for v in value]
    except (TypeError, ValueError):
        what = "a number" if n_objectives == 1 else f"{n_objectives} numbers"
        return Verdict(TrialState.FAIL, reason=f"the objective must be {what}, got {value!r}")
    if len(values) != n_objectives:
        return Verdict(
            TrialState.FAIL,
            reason=f"the objective must have {n_objectives} values, got {len(values)}: {values}",
        )
    if any(math.isnan(v) for v in values):
        return Verdict(TrialState.FAIL, reason=f"the objective must be a number, got {value}")
    fold = getattr(value, "stopped_after_fold", None)
    return Verdict(TrialState.COMPLETE, values=values, stopped_after_fold=fold)


def _number(value: Any) -> float:
    if isinstance(value, str | bytes):
        raise TypeError("a text is no number, also one that reads as a number")
    return float(value)
