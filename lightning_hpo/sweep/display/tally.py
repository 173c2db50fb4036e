"""How far a study has come, in counts and times, as the display tells it."""

import math
from dataclasses import dataclass, field

import optuna
from optuna.trial import TrialState

from lightning_hpo.results.text import roughly
from lightning_hpo.results.trials import best_trial, counts
from lightning_hpo.sweep.search.verdict import Verdict


@dataclass
class Tally:
    """Counts, best value and an estimate of the time left; all times in seconds.

    ``capacity``: trials that run at once, of which a slot may take several; None: one in each slot.
    ``final_rounds``: how many rounds of fits, one in each slot, the final job has yet to do;
    ``final_cost``: how much longer such a fit takes than a trial that completes.
    """

    total: int
    slots: int
    monitor: str
    minimize: bool = True
    final_rounds: float = 0
    final_cost: float = 1.0
    complete: int = 0
    pruned: int = 0
    failed: int = 0
    best: tuple[float, int] | None = None
    seconds: list[float] = field(default_factory=list)
    full_seconds: list[float] = field(default_factory=list)
    capacity: int | None = None

    @property
    def done(self) -> int:
        return self.complete + self.pruned + self.failed

    def count(self, number: int, verdict: Verdict, seconds: float) -> None:
        """Take a finished trial into account."""
        self.seconds.append(seconds)
        if verdict.state is TrialState.COMPLETE:
            self.complete += 1
            # A mean over some folds is no rival for one over all.
            if verdict.stopped_after_fold is None:
                self.full_seconds.append(seconds)
                self.offer(number, verdict.values[0] if verdict.values else math.nan)
        elif verdict.state is TrialState.PRUNED:
            self.pruned += 1
        elif not verdict.retry:
            self.failed += 1

    def count_fit(self) -> None:
        """Take a finished fit of the final job into account."""
        self.final_rounds = max(0.0, self.final_rounds - 1 / self.slots)

    def offer(self, number: int, value: float) -> None:
        """A value that may be the best so far."""
        sign = 1 if self.minimize else -1
        if self.best is None or sign * value < sign * self.best[0]:
            self.best = (value, number)

    def left_s(self) -> float | None:
        """Search and final job together; None before the first trial has ended."""
        if not self.seconds:
            return None
        mean = sum(self.seconds) / len(self.seconds)
        full = self.full_seconds or self.seconds
        waves = math.ceil(max(0, self.total - self.done) / (self.capacity or self.slots))
        fit = self.final_cost * sum(full) / len(full)
        return waves * mean + self.final_rounds * fit

    def line(self) -> str:
        """All of it in one line."""
        left = self.left_s()
        about = "unknown until the first trial ends" if left is None else f"about {roughly(left)}"
        return f"{self.so_far()} | left: {about}"

    def so_far(self) -> str:
        """Counts and the best value in one line."""
        best = "none yet" if self.best is None else f"{self.best[0]:.4f} (trial {self.best[1]})"
        return (
            f"{self.done} of {self.total} trials: {self.complete} complete, {self.pruned} pruned,"
            f" {self.failed} failed | best {self.monitor} {best}"
        )


def tally_earlier(study: optuna.Study, tally: Tally) -> None:
    """Count the trials of earlier runs, and how long they took, into what the display shows."""
    by_state = counts(study)
    tally.complete, tally.pruned = by_state["complete"], by_state["pruned"]
    tally.failed = by_state["failed"]
    best = best_trial(study)
    if best is not None and best.value is not None:
        tally.offer(best.number, best.value)
    for trial in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED)):
        if trial.duration is None:
            continue
        tally.seconds.append(trial.duration.total_seconds())
        if trial.state is TrialState.COMPLETE:
            tally.full_seconds.append(tally.seconds[-1])
