"""Figures of several studies: intervals for each metric, searches and learning curves together."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from statistics import fmean
from textwrap import wrap

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from optuna.trial import TrialState

from lightning_hpo.protocol.files import stored_object
from lightning_hpo.protocol.folder import JobFolder, StudyFolder
from lightning_hpo.protocol.metrics import read_curves
from lightning_hpo.protocol.stages import counterpart, quantity, recorded_stages
from lightning_hpo.report.comparison.contest import Entry, Goal, line
from lightning_hpo.report.comparison.words import basis
from lightning_hpo.report.figures.canvas import (
    GREY,
    WIDE_IN,
    Frame,
    Spot,
    apply_frame,
    drawing,
    frame_values,
    to_picture,
)
from lightning_hpo.report.figures.history import best_so_far
from lightning_hpo.report.figures.timeline import schedule, unit_of
from lightning_hpo.report.html.markup import Picture
from lightning_hpo.results.samples import Row
from lightning_hpo.results.text import count, duration, listing, number

NAME_WIDTH = 24  # letters of a study's name in one line beside an axis
LEGEND_WIDTH = 66  # letters of a legend's line


def intervals(rows: Sequence[Row], metric: str) -> Picture | None:
    """Of each row the mean with its 95 % interval, over the single values; None without any."""
    shown = [(index, row, row.values(metric)) for index, row in enumerate(rows)]
    shown = [entry for entry in shown if entry[2]]
    if not shown:
        return None
    spots = []
    with drawing(WIDE_IN, 0.8 + 0.46 * len(shown)) as (figure, axes):
        for y, (index, row, values) in enumerate(shown):
            _interval(axes, y, index, values, row.interval(metric))
            spots.append(Spot(fmean(values), y, told(row, metric)))
        axes.set_yticks(range(len(shown)), [_folded(row.name) for _, row, _ in shown])
        axes.set(ylim=(len(shown) - 0.4, -0.6), xlabel=metric)
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.grid(visible=False, axis="y")
        axes.tick_params(axis="y", length=0)
        every = [f"{row.name} {told(row, metric)}" for _, row, _ in shown]
        return to_picture(
            figure,
            axes,
            alt=f"{metric} with 95 % intervals: {'; '.join(every)}.",
            spots=spots,
        )


def _interval(
    axes: Axes, y: int, index: int, values: Sequence[float], reach: tuple[float, float]
) -> None:
    look, mean = line(index), fmean(values)
    if isfinite(reach[0]):
        axes.plot(reach, [y, y], color=look.colour, lw=2.2, solid_capstyle="butt")
        axes.plot(reach, [y, y], "|", color=look.colour, ms=9, mew=2.2)
        axes.scatter(values, [y + 0.27] * len(values), s=9, color=GREY, lw=0, alpha=0.8)
    axes.scatter(
        [mean],
        [y],
        s=56,
        marker=look.marker,
        color=look.colour if isfinite(reach[0]) else "white",
        edgecolors="white" if isfinite(reach[0]) else look.colour,
        linewidths=0.8 if isfinite(reach[0]) else 1.8,
        zorder=3,
    )


def told(row: Row, metric: str) -> str:
    """A row's mean and interval in words."""
    values = row.values(metric)
    low, high = row.interval(metric)
    reach = f" ({number(low)} to {number(high)})" if isfinite(low) else ""
    return f"{number(fmean(values))}{reach}, {basis(row, metric)}"


@dataclass(frozen=True)
class Curve:
    """Points of one study, and what hovering over its end says."""

    entry: Entry
    x: Sequence[float]
    y: Sequence[float]
    label: str = ""


def over_trials(entries: Sequence[Entry], goal: Goal) -> Picture | None:
    """The best value so far over the number of trials; None where nothing was searched."""
    curves = []
    for entry in entries:
        steps = best_so_far(entry.record)
        if steps:
            numbers, best = zip(*steps, strict=True)
            label = f"{entry.name}: {number(best[-1])} after {len(entry.record.trials)} trials"
            curves.append(Curve(entry, [n + 1 for n in numbers], best, label))
    return _searches(curves, goal, xlabel="trials", over="over the number of trials")


def over_time(entries: Sequence[Entry], goal: Goal) -> Picture | None:
    """The same over wall-clock time, from each search's first trial, pauses left out."""
    found = [(entry, _best_in_time(entry)) for entry in entries]
    found = [(entry, steps) for entry, steps in found if steps]
    unit_s, unit = unit_of(max((steps[-1][0] for _, steps in found), default=0.0))
    curves = [
        Curve(
            entry,
            [end_s / unit_s for end_s, _ in steps],
            [best for _, best in steps],
            f"{entry.name}: {number(steps[-1][1])} after {duration(steps[-1][0])}",
        )
        for entry, steps in found
    ]
    return _searches(
        curves,
        goal,
        xlabel=f"time ({unit})",
        over="over the time since its first trial began, pauses between runs left out",
    )


def _best_in_time(entry: Entry) -> list[tuple[float, float]]:
    """(seconds, best value by then) at the end of each completed trial, and of the search."""
    better = min if entry.record.minimize else max
    plan = schedule(entry.record.trials)
    steps: list[tuple[float, float]] = []
    for bar in sorted(plan.bars, key=lambda bar: bar.end_s):
        value = bar.trial.value if bar.trial.state is TrialState.COMPLETE else None
        if value is not None and isfinite(value):
            steps.append((bar.end_s, better(steps[-1][1], value) if steps else value))
    return [*steps, (plan.total_s, steps[-1][1])] if steps else []


def _searches(curves: Sequence[Curve], goal: Goal, *, xlabel: str, over: str) -> Picture | None:
    if not curves:
        return None
    monitor = goal.monitor
    return _chart(
        curves,
        minimize=goal.minimize,
        xlabel=xlabel,
        ylabel=f"best {monitor} so far",
        alt=f"The best {monitor} so far {over}. "
        + "; ".join(dict.fromkeys(curve.label for curve in curves))
        + ".",
        caption=f"The best {monitor} so far of each search, {over}.",
        drawstyle="steps-post",
    )


def learning_curves(entries: Sequence[Entry], goal: Goal) -> Picture | None:
    """What the monitor measures in training, of each refit over its epochs.

    None where none was stored.
    """
    found = [
        (metric, Curve(entry, *points, label=f"{entry.name}: {number(points[1][-1])} at the end"))
        for entry in entries
        for folder in StudyFolder(entry.record.folder).final.refits()
        if (metric := _in_training(folder, goal.monitor))
        if (points := logged(folder.metrics, metric))
    ]
    if not found:
        return None
    metrics, curves = {metric for metric, _ in found}, [curve for _, curve in found]
    # Studies may call it by different names.
    name = metrics.pop() if len(metrics) == 1 else quantity(goal.monitor)
    names = list(dict.fromkeys(curve.entry.name for curve in curves))
    return _chart(
        curves,
        minimize=goal.minimize,
        xlabel="epoch",
        ylabel=name,
        alt=f"{name} of {count(len(curves), 'refit')} of {listing(names)} over the epochs.",
        caption=f"{name} of each refit on all training data, which leaves none to "
        "validate on; dropout and augmentation make it worse than the same network's test result.",
        drawstyle="default",
    )


def _in_training(folder: JobFolder, monitor: str) -> str | None:
    """What the refit logged in training of the quantity that is monitored."""
    if not folder.metrics.is_file():
        return None
    names = list(read_curves(folder.metrics))
    stages = recorded_stages(stored_object(folder.result) or {}, names)
    return counterpart(monitor, [name for name in names if stages.get(name) == "train"])


def logged(path: Path, metric: str) -> tuple[list[float], list[float]] | None:
    """Epochs, counted from 1, and the metric's values from a ``metrics.csv``; None without any."""
    values = read_curves(path).get(metric, []) if path.is_file() else []
    points = [(epoch, value) for epoch, value in enumerate(values, 1) if not math.isnan(value)]
    return ([float(epoch) for epoch, _ in points], [v for _, v in points]) if points else None


def _chart(
    curves: Sequence[Curve],
    *,
    minimize: bool,
    xlabel: str,
    ylabel: str,
    alt: str,
    caption: str,
    drawstyle: str,
) -> Picture:
    """All curves on one pair of axes, each row in its colour and dash, with a legend."""
    everything = [value for curve in curves for value in curve.y]
    frame = frame_values(everything, minimize=minimize)
    spots = []
    with drawing(WIDE_IN, 3.5) as (figure, axes):
        apply_frame(axes, frame)
        for curve in curves:
            _draw(axes, curve, frame, drawstyle)
            spots.append(Spot(curve.x[-1], frame.clip(curve.y[-1]), curve.label))
        axes.set(xlabel=xlabel, ylabel=ylabel)
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=not xlabel.startswith("time")))
        _legend(figure, axes)
        return to_picture(
            figure, axes, alt=alt, caption=caption + frame.note(everything), spots=spots
        )


def _draw(axes: Axes, curve: Curve, frame: Frame, drawstyle: str) -> None:
    look, name = line(curve.entry.row), curve.entry.name
    known = {str(artist.get_label()) for artist in axes.lines}
    axes.plot(
        curve.x,
        [frame.clip(value) for value in curve.y],
        color=look.colour,
        ls=look.dash,
        lw=1.8,
        drawstyle=drawstyle,
        marker=look.marker,
        ms=6,
        mec="white",
        mew=0.6,
        markevery=[len(curve.x) - 1],
        label=f"_{name}" if name in known else name,
    )


def _legend(figure: Figure, axes: Axes) -> None:
    """Over the figure, in as many columns as its names allow."""
    handles, labels = axes.get_legend_handles_labels()
    folded = [_folded(label) for label in labels]
    widest = max(len(part) for label in folded for part in label.split("\n"))
    columns = max(1, min(len(labels), LEGEND_WIDTH // (widest + 6)))
    figure.legend(handles, folded, loc="outside upper left", ncols=columns)


def _folded(name: str) -> str:
    """A name in lines that fit beside an axis, broken after spaces and underscores."""
    spaced = wrap(name.replace("_", "_ "), NAME_WIDTH)
    return "\n".join(spaced).replace("_ ", "_") or name


def all_intervals(rows: Sequence[Row], metrics: Iterable[str]) -> list[Picture]:
    """One picture for each metric that any row has."""
    pictures = (intervals(rows, metric) for metric in metrics)
    return [picture for picture in pictures if picture is not None]
