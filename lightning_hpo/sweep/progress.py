"""How far each running trial has come: rows for the live view, words for plain lines."""

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from rich.progress_bar import ProgressBar
from rich.table import Table

_BAR_WIDTH = 12


@dataclass(frozen=True)
class Steps:
    """What the steps mean at which a trial reports its intermediate values.

    ``epochs``: of one fit. ``folds``: fits of a trial that follow each other. ``by_fold``: a trial
    reports once a fold, not once an epoch.
    """

    epochs: int
    folds: int = 1
    by_fold: bool = False

    @property
    def total(self) -> int:
        """Steps of a trial that no early stopping and no pruner ends."""
        return self.folds if self.by_fold else self.folds * self.epochs

    def words(self, step: int) -> str:
        """What is done once the 0-based ``step`` has been reported."""
        if self.by_fold:
            return f"{step + 1} of {self.folds} folds"
        fold, epoch = divmod(step, self.epochs)
        epochs = f"{epoch + 1} of {self.epochs} epochs"
        return epochs if self.folds == 1 else f"{fold} of {self.folds} folds, {epochs}"


@dataclass
class Running:
    """A trial in its slot, with the latest step and value that it has reported."""

    number: int
    slot: int
    latest: tuple[int, float] | None = None
    started_s: float = field(default_factory=time.monotonic)

    def words(self, steps: Steps | None, monitor: str) -> tuple[str, str]:
        """How far it has come, and the value there; empty before its first report."""
        if self.latest is None:
            return "", ""
        step, value = self.latest
        done = f"step {step}" if steps is None else steps.words(step)
        return done, f"{monitor} {value:.4f}"


def duration(seconds: float) -> str:
    """Seconds for people: ``45 s``, ``12 min``, ``3.5 h``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def slot_table(trials: Iterable[Running], steps: Steps | None, monitor: str) -> Table:
    """A row for each busy slot: trial, bar, epochs or folds done, latest value, time."""
    table = Table.grid(padding=(0, 2, 0, 0))
    now_s = time.monotonic()
    for trial in sorted(trials, key=lambda trial: trial.slot):
        done, value = trial.words(steps, monitor)
        elapsed = duration(now_s - trial.started_s)
        slot, number = f"  slot {trial.slot}", f"trial {trial.number:>3}"
        table.add_row(slot, number, _bar(trial, steps), done or "starting", value, elapsed)
    return table


def _bar(trial: Running, steps: Steps | None) -> Any:
    if steps is None:
        return ""
    done = 0 if trial.latest is None else trial.latest[0] + 1
    return ProgressBar(total=steps.total, completed=done, width=_BAR_WIDTH)
