"""One run of one contender: what its marks say, and what is counted from them. Pure functions."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.race.plan import SLOTS

Mark = Mapping[str, Any]


@dataclass(frozen=True)
class Outcome:
    """Seconds count from the start of the command, whose processes have yet to start.

    ``epochs``: of each validation its second, trial, 0-based epoch and loss, in the order of time.
    ``fits``: of each trial the second at which its Trainer began and at which it last gave a sign.
    ``sampler_s``, ``storage_s``: summed over all processes; None: not measured. ``failed``: the
    last line that the command said, where it failed.
    """

    contender: str
    seed: int
    trials: int
    train_limit: int
    conditions: str
    wall_s: float
    failed: str | None = None
    first_step_s: float | None = None
    sampler_s: float | None = None
    storage_s: float | None = None
    epochs: Sequence[Sequence[float]] = field(default=())
    fits: Sequence[Sequence[float]] = field(default=())

    @property
    def key(self) -> tuple[str, int, int, int]:
        """What a file holds one successful run of."""
        return self.contender, self.seed, self.trials, self.train_limit


def of_marks(marks: Sequence[Mark], started: float) -> dict[str, Any]:
    """The fields of an outcome that marks tell, ``started`` being the clock's time at the start."""
    steps = [m["at"] - started for m in marks if m["kind"] == "step"]
    epochs = [m for m in marks if m["kind"] == "epoch"]
    return {
        "first_step_s": min(steps, default=None),
        "sampler_s": _summed(marks, "sampler"),
        "storage_s": _summed(marks, "storage"),
        "epochs": [[m["at"] - started, m["trial"], m["epoch"], m["loss"]] for m in epochs],
        "fits": _fits(marks, started),
    }


def best_so_far(outcome: Outcome) -> list[tuple[float, float]]:
    """Second and loss of each validation that was better than all before it, of whatever trial."""
    found: list[tuple[float, float]] = []
    for at, _, _, loss in outcome.epochs:
        if math.isfinite(loss) and (not found or loss < found[-1][1]):
            found.append((at, loss))
    return found


def seconds_to(outcome: Outcome, loss: float) -> float | None:
    """When a validation first was this good; None: never."""
    return next((at for at, best in best_so_far(outcome) if best <= loss), None)


def best_at(outcome: Outcome, second: float) -> float:
    """The least loss until then, also after the run's end; infinite before the first one."""
    return min((best for at, best in best_so_far(outcome) if at <= second), default=math.inf)


@dataclass(frozen=True)
class SlotSeconds:
    """Where the time of both slots went: in Trainers, or before, between or after them."""

    busy: float
    before: float
    between: float
    after: float

    @property
    def idle(self) -> float:
        return self.before + self.between + self.after


def slot_seconds(outcome: Outcome) -> SlotSeconds:
    """Each fit is in the slot that was free first, whatever process it ran in."""
    before, between, free_from = 0.0, 0.0, [0.0] * SLOTS
    is_new = [True] * SLOTS
    for _, begin, end in sorted(outcome.fits, key=lambda fit: fit[1]):
        slot = free_from.index(min(free_from))
        idle = max(0.0, begin - free_from[slot])
        before, between = (before + idle, between) if is_new[slot] else (before, between + idle)
        free_from[slot], is_new[slot] = max(end, free_from[slot]), False
    busy = sum(end - begin for _, begin, end in outcome.fits)
    return SlotSeconds(busy, before, between, sum(outcome.wall_s - at for at in free_from))


def _summed(marks: Iterable[Mark], part: str) -> float | None:
    seconds = [m["seconds"] for m in marks if m["kind"] == part]
    return sum(seconds) if seconds else None


def _fits(marks: Iterable[Mark], started: float) -> list[list[float]]:
    found: dict[int, list[float]] = {}
    for m in marks:
        if m["kind"] in ("fit", "step", "epoch", "end"):
            at = m["at"] - started
            found.setdefault(m["trial"], [m["trial"], at, at])[2] = at
    return list(found.values())
