"""What a person sees while a study runs: a live line on a terminal, plain lines elsewhere."""

import math
import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from optuna.trial import TrialState
from rich.console import Console
from rich.live import Live
from rich.text import Text

from lightning_hpo.sweep.verdict import Verdict

_RECENT = 8


@dataclass
class Tally:
    """Counts, best value and an estimate of the time left; all times in seconds.

    ``final_rounds``: how many fits follow the search one after the other.
    """

    total: int
    slots: int
    monitor: str
    minimize: bool = True
    final_rounds: int = 0
    complete: int = 0
    pruned: int = 0
    failed: int = 0
    running: int = 0
    best: tuple[float, int] | None = None
    seconds: list[float] = field(default_factory=list)
    full_seconds: list[float] = field(default_factory=list)

    @property
    def done(self) -> int:
        return self.complete + self.pruned + self.failed

    def count(self, number: int, verdict: Verdict, seconds: float) -> None:
        """Take a finished trial into account."""
        self.seconds.append(seconds)
        if verdict.state is TrialState.COMPLETE:
            self.complete += 1
            self.full_seconds.append(seconds)
            self.offer(number, verdict.values[0] if verdict.values else math.nan)
        elif verdict.state is TrialState.PRUNED:
            self.pruned += 1
        elif not verdict.retry:
            self.failed += 1

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
        waves = math.ceil(max(0, self.total - self.done) / self.slots)
        return waves * mean + self.final_rounds * sum(full) / len(full)

    def line(self) -> str:
        """All of it in one line."""
        best = "none yet" if self.best is None else f"{self.best[0]:.4f} (trial {self.best[1]})"
        left = self.left_s()
        about = "unknown until the first trial ends" if left is None else f"about {duration(left)}"
        return (
            f"{self.done} of {self.total} trials: {self.complete} complete, {self.pruned} pruned,"
            f" {self.failed} failed | best {self.monitor} {best} | left: {about}"
        )


def duration(seconds: float) -> str:
    """Seconds for people: ``45 s``, ``12 min``, ``3.5 h``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


class Display:
    """Shows a study's progress; an observer of the search.

    On a terminal one live line stands below the latest trials; elsewhere each trial is one line.
    """

    def __init__(self, tally: Tally, *, console: Console | None = None) -> None:
        self.tally = tally
        self.console = console or Console(file=sys.stdout, highlight=False, soft_wrap=True)
        self._recent: deque[str] = deque(maxlen=_RECENT)
        self._live: Live | None = None
        self._stage = ""
        self._stage_started_s = 0.0

    @contextmanager
    def shown(self) -> Iterator["Display"]:
        """While this lasts, a terminal shows the live line."""
        if not self.console.is_terminal:
            yield self
            return
        with Live(get_renderable=self._render, console=self.console, refresh_per_second=4) as live:
            self._live = live
            try:
                yield self
            finally:
                self._live = None

    def started(self, number: int) -> None:
        self.tally.running += 1

    def finished(self, number: int, verdict: Verdict, seconds: float) -> None:
        self.tally.running -= 1
        self.tally.count(number, verdict, seconds)
        self._say(f"trial {number:>3}  {_outcome(verdict, self.tally.monitor)}  {seconds:5.1f} s")
        if not self.console.is_terminal:
            self.console.print(Text(f"  {self.tally.line()}"))

    def stage(self, what: str) -> None:
        """A step other than a trial: preparation, the final job's fits, the report."""
        self._stage, self._stage_started_s = what, time.monotonic()
        if self._live is None:
            self.console.print(Text(what))

    def note(self, what: str) -> None:
        """One line that stays."""
        self._say(what)

    def _say(self, line: str) -> None:
        if self._live is not None:
            self._live.console.print(Text(line))
        else:
            self.console.print(Text(line))

    def _render(self) -> Any:
        lines = [Text(self.tally.line(), style="bold")] if self.tally.total else []
        if self._stage:
            elapsed = duration(time.monotonic() - self._stage_started_s)
            lines.append(Text(f"{self._stage} ... {elapsed}"))
        return Text("\n").join(lines)


def _outcome(verdict: Verdict, monitor: str) -> str:
    if verdict.state is TrialState.COMPLETE and verdict.values:
        return f"complete  {monitor} {verdict.values[0]:.4f}"
    if verdict.state is TrialState.PRUNED:
        return f"pruned    {(verdict.reason or '').removeprefix('pruned ')}".rstrip()
    return f"FAILED    {verdict.reason}"
