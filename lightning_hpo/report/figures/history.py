"""How the search went: the objective over the trials, and over the epochs of each."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from optuna.trial import FrozenTrial, TrialState

from lightning_hpo.report.figures.canvas import (
    GREEN,
    INK,
    LOOKS,
    WIDE_IN,
    Frame,
    Spot,
    apply_frame,
    drawing,
    frame_values,
    legend_above,
    to_picture,
)
from lightning_hpo.report.figures.marks import objective_frame, scatter, star, told
from lightning_hpo.report.html.markup import Picture
from lightning_hpo.results.record import Record, last_value
from lightning_hpo.results.text import count, number


def history(record: Record) -> Picture:
    """The objective over the trials' numbers, with the best value so far as a line."""
    shown = [trial for trial in record.trials if trial.state in LOOKS]
    frame = objective_frame(record)
    spots = []
    with drawing(WIDE_IN, 3.3) as (figure, axes):
        apply_frame(axes, frame)
        for state in LOOKS:
            trials = [trial for trial in shown if trial.state is state]
            spots += scatter(axes, state, trials, frame, x=[trial.number for trial in trials])
        steps = best_so_far(record)
        if steps:
            numbers, best = zip(*steps, strict=True)
            axes.step(numbers, best, where="post", color=INK, lw=1.4, label="best so far")
        if record.winner is not None:
            star(axes, record.winner.number, frame.clip(record.winner.value))
        axes.set(xlabel="trial", ylabel=record.monitor)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        legend_above(figure, axes)
        return to_picture(
            figure,
            axes,
            alt=f"{record.monitor} of {count(len(shown), 'trial')} in the order of their numbers. "
            + _best_words(record),
            caption="How the search went. A trial that did not complete stands at its last "
            f"value, or at the edge if it has none.{frame.note(map(last_value, shown))}",
            spots=spots,
        )


def best_so_far(record: Record) -> list[tuple[int, float]]:
    """(number, best value up to it) for each completed trial, and up to the last trial."""
    better = min if record.minimize else max
    steps: list[tuple[int, float]] = []
    for trial in record.in_state(TrialState.COMPLETE):
        if trial.value is not None and np.isfinite(trial.value):
            best = better(steps[-1][1], trial.value) if steps else trial.value
            steps.append((trial.number, best))
    return [*steps, (record.trials[-1].number, steps[-1][1])] if steps else []


def _best_words(record: Record) -> str:
    if record.winner is None:
        return "No trial completed."
    return f"The best is trial {record.winner.number} with {number(record.winner.value)}."


def intermediate_values(record: Record) -> Picture | None:
    """Each trial's intermediate values over the epochs; None where nothing was reported."""
    trials = [t for t in record.trials if t.intermediate_values and t.state in LOOKS]
    if not trials:
        return None
    everything = [value for trial in trials for value in trial.intermediate_values.values()]
    frame = frame_values(everything, minimize=record.minimize)
    spots: list[Spot] = []
    # Steps are stored from 0, and another application's are its own.
    first = 0 if record.is_guest else 1
    with drawing(WIDE_IN, 3.3) as (figure, axes):
        apply_frame(axes, frame)
        for trial in trials:
            spots.append(_curve(axes, trial, frame, best=record.winner is trial, first=first))
        axes.set(xlabel="step" if record.is_guest else "epoch", ylabel=record.monitor)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        legend_above(figure, axes)
        pruned = sum(trial.state is TrialState.PRUNED for trial in trials)
        return to_picture(
            figure,
            axes,
            alt=f"{record.monitor} of {count(len(trials), 'trial')} over the epochs; {pruned} of "
            "them end early because they were pruned.",
            caption="What the pruner saw. Each line is a trial and ends where the trial did."
            + frame.note(everything),
            spots=spots,
        )


def _curve(axes: Axes, trial: FrozenTrial, frame: Frame, *, best: bool, first: int) -> Spot:
    """One trial's line and its end marker; a state's first trial gives its legend entry.

    ``first``: how step 0 is shown.
    """
    look = LOOKS[trial.state]
    word = "best" if best else look.word
    labelled = {str(line.get_label()) for line in axes.lines}
    colour = GREEN if best else look.colour
    steps = sorted(trial.intermediate_values)
    values = [trial.intermediate_values[step] for step in steps]
    epochs = [step + first for step in steps]
    end = frame.clip(values[-1])
    top = 1 if best else 0
    style: dict[str, Any] = {"color": colour, "zorder": 3 + top}
    axes.plot(epochs, values, lw=2.4 if best else 0.9, alpha=1.0 if best else 0.5, **style)
    axes.plot(
        epochs[-1],
        end,
        "*" if best else look.marker,
        ms=13 if best else 5,
        mec=INK if best else "white",
        mew=0.6,
        clip_on=False,
        label=None if word in labelled else word,
        **style,
    )
    return Spot(float(epochs[-1]), end, told(trial))
