"""What a job's end means for its trial: complete, pruned, failed; again, or never again."""

import math
import re
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import optuna
from hydra.errors import HydraException
from optuna.exceptions import StorageInternalError
from optuna.trial import TrialState

from lightning_hpo.errors import ProcessDied, StudyFailed, UserError, one_line
from lightning_hpo.launchers.job import SlotDied
from lightning_hpo.output.masking import presentable
from lightning_hpo.protocol.messages import TrialResult
from lightning_hpo.storage.writable import hinders

if TYPE_CHECKING:
    from hydra.core.utils import JobReturn

_STAND_IN = re.compile(r"Remote (?:[\w<>]+\.)*(\w+): ")
# Characters of a value or a message within a reason.
_SHOWN = 200


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

    def __post_init__(self) -> None:
        # Of whatever length the user's error was, and whatever it held: this is stored and shown.
        if self.reason is not None:
            object.__setattr__(self, "reason", presentable(self.reason))


def judge(
    end: "JobReturn | SlotDied", *, n_objectives: int, study_dir: Path | None = None
) -> Verdict:
    """The verdict on a job that returned, raised or lost its process; it wrote in ``study_dir``."""
    from hydra.core.utils import JobStatus

    if isinstance(end, SlotDied):
        return Verdict(TrialState.FAIL, reason=end.reason, retry=end.retry, blamed=end.blamed)
    # Not ``end.return_value``, which prints to the terminal and raises for a job that failed.
    value = end._return_value
    # Raised, or returned by a job that was given no reason to log a failure.
    if isinstance(value, optuna.TrialPruned):
        return Verdict(TrialState.PRUNED, reason=one_line(value) if value.args else "")
    if end.status is JobStatus.COMPLETED:
        return _judge_value(value, n_objectives)
    if isinstance(value, StorageInternalError | ProcessDied):
        return Verdict(TrialState.FAIL, reason=one_line(value), retry=True)
    if isinstance(value, OSError) and hinders(value, study_dir):
        mistake = UserError(
            f"a trial must be able to write its files, but: {one_line(value)}; once it is, the same"
            " command goes on."
        )
        return Verdict(
            TrialState.FAIL, reason=str(mistake), retry=True, blamed=False, mistake=mistake
        )
    if isinstance(value, UserError | HydraException):
        mistake = UserError(one_line(value))
        return Verdict(TrialState.FAIL, reason=str(mistake), mistake=mistake)
    return Verdict(TrialState.FAIL, reason=_told(value))


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


def _told(error: Exception) -> str:
    said = one_line(error)
    # Hydra's stand-in for what cannot be unpickled here names its type in its own message.
    stand_in = _STAND_IN.match(said) if type(error) is RuntimeError else None
    return said[stand_in.start(1) :] if stand_in else f"{type(error).__name__}: {said}"


def _judge_value(value: Any, n_objectives: int) -> Verdict:
    what = "a number" if n_objectives == 1 else f"{n_objectives} numbers"
    try:
        values = [_number(value)] if n_objectives == 1 else _several(value, n_objectives)
    except Exception as error:
        # What an objective returns is its user's own class, and may raise anything.
        # Of None or a text, the rule says enough.
        plain = type(value).__module__ == "builtins" and isinstance(error, TypeError | ValueError)
        why = "" if plain else f" ({_named(error)})"
        return Verdict(
            TrialState.FAIL, reason=f"the objective must be {what}, got {_shown(value)}{why}"
        )
    if len(values) != n_objectives:
        reason = f"the objective must have {n_objectives} values, got {_shown(value)}"
        return Verdict(TrialState.FAIL, reason=reason)
    if any(math.isnan(v) for v in values):
        return Verdict(TrialState.FAIL, reason=f"the objective must be {what}, got {_shown(value)}")
    fold = value.stopped_after_fold if isinstance(value, TrialResult) else None
    return Verdict(TrialState.COMPLETE, values=values, stopped_after_fold=fold)


def _number(value: Any) -> float:
    if isinstance(value, str | bytes):
        raise TypeError("a text is no number, also one that reads as a number")
    return float(value)


def _several(value: Any, n: int) -> list[float]:
    """The numbers in ``value``, at most one more than ``n``: it may never end."""
    if isinstance(value, str | bytes | Mapping | Set):
        raise TypeError(f"{type(value).__name__} is no sequence of numbers")
    return [_number(v) for v in islice(value, n + 1)]


def _shown(value: Any) -> str:
    """``value`` in a message: whatever it is, and not all of it where it is long."""
    try:
        return _short(repr(value))
    except Exception as error:
        return f"{_article(type(value).__name__)} that cannot be shown ({_named(error)})"


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}... ({len(text)} characters)"


def _article(name: str) -> str:
    return f"{'an' if name.lstrip('_')[:1] in 'aeiouAEIOU' else 'a'} {name}"


def _named(error: Exception) -> str:
    return f"{type(error).__name__}: {_short(one_line(error))}"
