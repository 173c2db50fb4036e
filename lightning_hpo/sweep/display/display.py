"""What a person sees while a study runs: a live view on a terminal, plain lines elsewhere."""

import logging
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from optuna.trial import FrozenTrial, TrialState
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from lightning_hpo.output.control_characters import visible
from lightning_hpo.output.terminal import take_any_text
from lightning_hpo.protocol.parts import told_value
from lightning_hpo.results.text import roughly
from lightning_hpo.sweep.display.progress import Running, RunningFit, SlotTable, Steps, fit_title
from lightning_hpo.sweep.display.tally import Tally
from lightning_hpo.sweep.search.verdict import Verdict

Verbosity = Literal["quiet", "normal", "verbose"]

_REDRAW_S = 0.25


class Display:
    """Shows a study's progress; an observer of the search and of the final job.

    On a terminal a live view of the study and its slots stands below the trials and the fits of the
    final job that have ended; elsewhere, and on a terminal that cannot move its cursor, each trial
    and each of those fits is one line when it ends. ``verbosity``:
    "quiet" shows the last words alone, "verbose" also each trial's parameters and, where there is
    no live view, what it reports. Colours are off when the environment has NO_COLOR.
    """

    def __init__(
        self,
        tally: Tally,
        *,
        console: Console | None = None,
        verbosity: Verbosity = "normal",
        steps: Steps | None = None,
    ) -> None:
        self.tally = tally
        self.console = console or _standard_output()
        self.verbosity = verbosity
        self.steps = steps
        self._running: dict[int, Running] = {}
        self._fits: dict[str, RunningFit] = {}
        self._live: Live | None = None
        self._drawing = threading.RLock()
        self._stage = ""
        self._stage_started_s = 0.0

    @contextmanager
    def shown(self) -> Iterator["Display"]:
        """While this lasts, a terminal shows the live view."""
        if not self.console.is_interactive or self.verbosity == "quiet":
            yield self
            return
        view = Live(get_renderable=self._render, console=self.console, auto_refresh=False)
        with view, self._redrawn(view):
            self._live = view
            try:
                yield self
            finally:
                self._stage = ""
                self._fits.clear()
                self._live = None

    @contextmanager
    def _redrawn(self, view: Live) -> Iterator[None]:
        """Draw the view again and again, but never between the two halves of a line's output.

        The view's own thread would: a line moves the cursor up by the height that the view has on
        the screen, and the thread may be about to draw it with another height.
        """
        over = threading.Event()

        def redraw() -> None:
            while not over.wait(_REDRAW_S):
                with self._drawing:
                    view.refresh()

        thread = threading.Thread(target=redraw, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def started(self, trial: FrozenTrial) -> None:
        self._running[trial.number] = Running(trial.number, trial.user_attrs["slot"])
        if self.verbosity == "verbose":
            given = ", ".join(f"{name}={value}" for name, value in trial.params.items())
            self._say(f"trial {trial.number:>3}  started   {given}".rstrip())

    def reported(self, running: Sequence[FrozenTrial]) -> None:
        for trial in running:
            shown = self._running.get(trial.number)
            if shown is None or not trial.intermediate_values:
                continue
            step = max(trial.intermediate_values)
            latest = (step, trial.intermediate_values[step])
            if latest != shown.latest:
                shown.latest = latest
                self._say_progress(shown)

    def finished(self, number: int, verdict: Verdict, seconds: float) -> None:
        self._running.pop(number, None)
        self.tally.count(number, verdict, seconds)
        outcome = _outcome(verdict, self.tally.monitor)
        self._say(Text.assemble(f"trial {number:>3}  ", outcome, f"  {seconds:5.1f} s"))
        if self._live is None:
            self._say(f"  {self.tally.line()}")

    def fit_started(self, name: str, slot: int, folder: Path) -> None:
        self._fits[name] = RunningFit(name, slot, folder)

    def fit_ended(self, name: str, result: Mapping[str, Any] | None) -> None:
        self._fits.pop(name, None)
        if result is not None:
            self.tally.count_fit()
        if result is not None and result.get("is_shown", True):
            self._say(_fit_line(name, result, self.tally.monitor))

    def stage(self, what: str) -> None:
        """A step other than a trial: preparation, the final job's fits, the report."""
        self._stage, self._stage_started_s = what, time.monotonic()
        if self._live is None:
            self._say(what)

    def note(self, what: str) -> None:
        """One line that stays."""
        self._say(what)

    def last_words(self, what: str) -> None:
        """The study's outcome, however quiet the display is."""
        self.console.print(Text(visible(what)))

    def _say(self, line: str | Text) -> None:
        if self.verbosity == "quiet":
            return
        with self._drawing:
            self.console.print(line if isinstance(line, Text) else Text(visible(line)))

    def _say_progress(self, trial: Running) -> None:
        if self.verbosity == "verbose" and self._live is None:
            done, value = trial.words(self.steps, self.tally.monitor)
            self._say(f"trial {trial.number:>3}  {done}  {value}")

    def _render(self) -> Group:
        # The last picture, which stays, is drawn when the view is closed.
        state = self.tally.so_far() if self._live is None else self.tally.line()
        lines = [Text(state, style="bold")] if self.tally.total else []
        if self._stage:
            elapsed = roughly(time.monotonic() - self._stage_started_s)
            lines.append(Text(f"{self._stage} ... {elapsed}"))
        for line in lines:
            # Folded here: the console leaves folding to the terminal, and then the live view would
            # not know how many lines it must go up.
            line.no_wrap, line.overflow = False, "fold"
        rows = [
            *(trial.row(self.steps, self.tally.monitor) for trial in list(self._running.values())),
            *(fit.row() for fit in list(self._fits.values())),
        ]
        return Group(*lines, *([SlotTable(rows)] if rows else []))


def _standard_output() -> Console:
    # FORCE_COLOR asks for colours in a log; a live view would fill it with cursor movements.
    interactive = None if sys.stdout is not None and sys.stdout.isatty() else False
    take_any_text(sys.stdout)
    return Console(file=sys.stdout, highlight=False, soft_wrap=True, force_interactive=interactive)


def _outcome(verdict: Verdict, monitor: str) -> Text:
    if verdict.state is TrialState.COMPLETE and verdict.values:
        fold = verdict.stopped_after_fold
        stopped = "" if fold is None else f", stopped after fold {fold}"
        return Text.assemble(("complete", "green"), f"  {monitor} {verdict.values[0]:.4f}{stopped}")
    if verdict.state is TrialState.PRUNED:
        where = visible(f"    {(verdict.reason or '').removeprefix('pruned ')}").rstrip()
        return Text.assemble(("pruned", "yellow"), where)
    return Text.assemble(("FAILED", "bold red"), visible(f"    {verdict.reason}"))


def _fit_line(name: str, result: Mapping[str, Any], monitor: str) -> str:
    """A fold's validation value, a refit's test; ``result``: what its job returned."""
    told = told_value(result, monitor)
    what = "" if told is None else f"{told[0]} {told[1]:.4f}, "
    done = f"{what}{result['epochs']} epochs, {result['seconds']:.1f} s"
    return f"{fit_title(name):<9}  {done}"


def quieten_log() -> None:
    """Let the terminal show warnings alone of what Hydra logs."""
    # The terminal's handlers and not the loggers: the logs of jobs in this process stay whole.
    for handler in logging.getLogger().handlers:
        handler.setLevel(logging.WARNING)
