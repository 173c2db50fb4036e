"""How far each running trial or fit has come: rows for the live view, words for plain lines."""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.progress_bar import ProgressBar
from rich.table import Table

from lightning_hpo.protocol.folder import JobFolder
from lightning_hpo.protocol.messages import FitProgress
from lightning_hpo.results.text import roughly

_BAR_WIDTH = 12
# In columns of a terminal.
_UNLIMITED = 1000
_LEFT_OUT = ("bar", "slot", "metric")


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


@dataclass(frozen=True)
class Row:
    """A busy slot in the live view. ``done``, ``total``: steps for its bar; None: no bar."""

    slot: int
    title: str
    words: str
    value: str
    started_s: float
    done: int = 0
    total: int | None = None


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

    def row(self, steps: Steps | None, monitor: str) -> Row:
        words, value = self.words(steps, monitor)
        done = 0 if self.latest is None else self.latest[0] + 1
        total = None if steps is None else steps.total
        title = f"trial {self.number:>3}"
        return Row(self.slot, title, words, value, self.started_s, done, total)


@dataclass
class RunningFit:
    """A fit of the final job in its slot; its folder says how far it has come."""

    name: str
    slot: int
    folder: Path
    started_s: float = field(default_factory=time.monotonic)

    def row(self) -> Row:
        told = fit_progress(self.folder)
        title = fit_title(self.name)
        if told is None:
            return Row(self.slot, title, "", "", self.started_s)
        words = f"{told.epochs} of {told.total} epochs"
        value = "" if told.value is None else f"{told.metric} {told.value:.4f}"
        return Row(self.slot, title, words, value, self.started_s, told.epochs, told.total)


def fit_title(name: str) -> str:
    """``fold 3`` for the folder ``fold_3``."""
    return name.replace("_", " ")


def fit_progress(folder: Path) -> FitProgress | None:
    """What the fit in ``folder`` has told last; None before it has."""
    try:
        return FitProgress(**json.loads(JobFolder(folder).progress.read_text()))
    except FileNotFoundError:
        return None


@dataclass(frozen=True)
class SlotTable:
    """A line for each busy slot: slot, trial or fit, bar, epochs or folds done, value, time.

    On a narrow terminal it leaves out, one after the other, the bar, the slot and what the value
    is of; what is then still too wide is folded.
    """

    rows: Sequence[Row]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        unlimited = options.update(width=_UNLIMITED)
        for n_left_out in range(len(_LEFT_OUT) + 1):
            table = self._table(_LEFT_OUT[:n_left_out])
            if Measurement.get(console, unlimited, table).maximum <= options.max_width:
                break
        yield table

    def _table(self, left_out: Sequence[str]) -> Table:
        table = Table.grid(padding=(0, 2, 0, 0))
        now_s = time.monotonic()
        for row in sorted(self.rows, key=lambda row: row.slot):
            cells = {
                "slot": f"slot {row.slot}",
                "title": row.title,
                "bar": _bar(row),
                "words": row.words or "starting",
                "value": row.value.rpartition(" ")[2] if "metric" in left_out else row.value,
                "elapsed": roughly(now_s - row.started_s),
            }
            table.add_row("", *(cell for name, cell in cells.items() if name not in left_out))
        return table


def _bar(row: Row) -> Any:
    if row.total is None:
        return ""
    return ProgressBar(total=row.total, completed=row.done, width=_BAR_WIDTH)
