"""Figures of several parameters together: parallel coordinates, and a contour of two.

Both show completed trials alone: the value of a pruned one is from an earlier epoch.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.tri import Triangulation
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import FrozenTrial, TrialState

from lightning_hpo.report.figures.canvas import (
    GREEN,
    GREY,
    INK,
    WIDE_IN,
    Frame,
    Spot,
    drawing,
    frame_values,
    label_log_axis,
    to_picture,
)
from lightning_hpo.report.figures.marks import told
from lightning_hpo.report.html.markup import Picture
from lightning_hpo.results.importances import MIN_COMPLETED_FOR_IMPORTANCES
from lightning_hpo.results.readings import conditional_parameters
from lightning_hpo.results.record import Record, by_value
from lightning_hpo.results.text import count, number

COLOURS = colormaps["cividis"]  # made for colour-blind readers; its lightness grows evenly


def parallel_coordinates(record: Record) -> Picture | None:
    """Each completed trial as a line over all parameters; None below two of either.

    A parameter that a trial does not have interrupts its line.
    """
    trials = by_value(record.in_state(TrialState.COMPLETE), minimize=record.minimize)
    space = _side_by_side(record)
    if len(trials) < 2 or len(space) < 2:
        return None
    frame = _value_frame(trials, minimize=record.minimize)
    shades = _shades(frame, minimize=record.minimize)
    with drawing(max(WIDE_IN, 0.85 * (len(space) + 1)), 3.9) as (figure, axes):
        _upright_axes(axes, {**space, record.monitor: _as_range(frame)})
        for trial in reversed(trials):  # good ones on top of poor ones
            shade = shades.to_rgba(np.asarray(frame.clip(trial.value)))
            axes.plot(*_line(trial, space, frame), color=shade, lw=1.0)
        axes.plot(*_line(trials[0], space, frame), color=GREEN, lw=2.4, marker="o", ms=4)
        spots = [Spot(len(space), _share(frame, trial.value), told(trial)) for trial in trials]
        return to_picture(
            figure,
            axes,
            alt=f"Parallel coordinates of {count(len(trials), 'completed trial')} over "
            f"{count(len(space), 'parameter')} and {record.monitor}.",
            caption="All parameters at once: each line is a completed trial, the best is green, "
            "good ones are dark. Where dark lines gather, the values are good; where they spread "
            "over an axis, that parameter matters little."
            + frame.note(trial.value for trial in trials),
            spots=spots,
        )


def _side_by_side(record: Record) -> dict[str, BaseDistribution]:
    """Parameters in the order of their axes.

    First those that only some trials have, which leaves the other lines whole, and the most
    important one last, beside the objective.
    """
    partial, shares = conditional_parameters(record), record.importances.shares
    found = {name: d for name, d in record.space.items() if not d.single()}
    order = sorted(found, key=lambda name: (name not in partial, shares.get(name, 0.0)))
    return {name: found[name] for name in order}


def contour(record: Record) -> Picture | None:
    """The objective over the two numeric parameters that matter most; None of too few trials."""
    names = [n for n in record.importances.shares if _is_numeric(record.space.get(n))][:2]
    if len(names) < 2:
        return None
    x_name, y_name = names
    complete = by_value(record.in_state(TrialState.COMPLETE), minimize=record.minimize)
    trials = [trial for trial in complete if x_name in trial.params and y_name in trial.params]
    if len(trials) < MIN_COMPLETED_FOR_IMPORTANCES:
        return None
    frame = _value_frame(trials, minimize=record.minimize)
    with drawing(WIDE_IN, 3.9) as (figure, axes):
        spots = _landscape(axes, trials, (x_name, y_name), record, frame)
        _colour_bar(figure, axes, frame, record)
        return to_picture(
            figure,
            axes,
            alt=f"{record.monitor} over {x_name} and {y_name} in "
            f"{count(len(trials), 'completed trial')}; the best has {x_name} = "
            f"{number(trials[0].params[x_name])} and {y_name} = "
            f"{number(trials[0].params[y_name])}.",
            caption="The two numeric parameters that matter most. Dots are completed trials, the "
            "star is the best; colours between them are interpolated, white is unknown.",
            spots=spots,
        )


def _landscape(
    axes: Axes,
    trials: Sequence[FrozenTrial],
    names: tuple[str, str],
    record: Record,
    frame: Frame,
) -> list[Spot]:
    """Interpolated values between the trials, and the trials themselves; their hover labels."""
    x, y = ([float(trial.params[name]) for trial in trials] for name in names)
    values = [frame.clip(trial.value) for trial in trials]
    shades = _shades(frame, minimize=record.minimize)
    style: dict[str, Any] = {"cmap": shades.cmap, "norm": shades.norm}
    places = [[_place(record.space[n], v) for v in c] for n, c in zip(names, (x, y), strict=True)]
    triangles = _triangles(*places)
    if triangles is not None:
        filled = Triangulation(x, y, triangles)
        axes.tricontourf(filled, values, levels=12, alpha=0.75, **style)
    axes.scatter(x, y, c=values, s=26, edgecolors="white", linewidths=0.6, zorder=3, **style)
    axes.scatter(x[:1], y[:1], s=150, marker="*", color=GREEN, edgecolors=INK, lw=0.7, zorder=4)
    for name, axis, scale in zip(
        names, (axes.xaxis, axes.yaxis), (axes.set_xscale, axes.set_yscale), strict=True
    ):
        distribution = record.space[name]
        assert isinstance(distribution, (FloatDistribution, IntDistribution))
        if distribution.log:
            scale("log")
            label_log_axis(axis, float(distribution.low), float(distribution.high))
    axes.use_sticky_edges = False  # the interpolated area holds on to its own ends otherwise
    axes.margins(0.06)
    axes.set(xlabel=names[0], ylabel=names[1])
    return [Spot(a, b, told(trial)) for a, b, trial in zip(x, y, trials, strict=True)]


def _triangles(x: Sequence[float], y: Sequence[float]) -> np.ndarray | None:
    """Delaunay's triangles of points on the parameters' own scales; None if all lie on a line."""
    points = np.unique(np.column_stack([x, y]), axis=0)
    if np.linalg.matrix_rank(points - points.mean(axis=0), tol=1e-6) < 2:
        return None
    return Triangulation(x, y).triangles


def _colour_bar(figure: Figure, axes: Axes, frame: Frame, record: Record) -> None:
    better = "lower" if record.minimize else "higher"
    shades = _shades(frame, minimize=record.minimize)
    bar = figure.colorbar(shades, ax=axes, label=f"{record.monitor} ({better} is better)")
    bar.outline.set_visible(False)


def _value_frame(trials: Sequence[FrozenTrial], *, minimize: bool) -> Frame:
    """The values shown; linear, for colours and the last axis say no more than an order."""
    found = frame_values([t.value for t in trials if t.value is not None], minimize=minimize)
    return Frame(found.low, found.high, bad=found.bad)


def _shades(frame: Frame, *, minimize: bool) -> ScalarMappable:
    """Good values dark."""
    return ScalarMappable(
        Normalize(frame.low, frame.high), COLOURS if minimize else COLOURS.reversed()
    )


def _upright_axes(axes: Axes, space: dict[str, BaseDistribution]) -> None:
    """One upright axis for each parameter, with the ends of its range or its choices."""
    for x, distribution in enumerate(space.values()):
        axes.plot([x, x], [0, 1], color=GREY, lw=1.0, zorder=1)
        for height, label in _ticks(distribution):
            below = height == 0
            axes.annotate(
                label,
                (x, height),
                xytext=(0, -5 if below else 5) if height in (0, 1) else (4, 0),
                textcoords="offset points",
                ha="left" if height not in (0, 1) else "center",
                va="top" if below else "bottom" if height == 1 else "center",
                fontsize=8,
                zorder=5,
            )
    axes.set_xticks(range(len(space)), list(space), rotation=30, ha="right", fontsize=9)
    axes.tick_params(axis="x", length=0, pad=16)
    axes.set(yticks=[], xlim=(-0.3, len(space) - 0.6), ylim=(-0.02, 1.06))
    axes.grid(visible=False)
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(False)


def _ticks(distribution: BaseDistribution) -> list[tuple[float, str]]:
    """Heights in [0, 1] and what stands there."""
    if isinstance(distribution, CategoricalDistribution):
        return [(_place(distribution, c), str(c)[:12]) for c in distribution.choices]
    assert isinstance(distribution, (FloatDistribution, IntDistribution))
    return [(0.0, f"{distribution.low:.3g}"), (1.0, f"{distribution.high:.3g}")]


def _line(
    trial: FrozenTrial, space: dict[str, BaseDistribution], frame: Frame
) -> tuple[range, list[float]]:
    """The axes' numbers and the heights on them, not a number where the trial has no value."""
    heights = [
        _place(distribution, trial.params[name]) if name in trial.params else math.nan
        for name, distribution in space.items()
    ]
    return range(len(space) + 1), [*heights, _share(frame, trial.value)]


def _share(frame: Frame, value: float | None) -> float:
    """Where a value stands between the ends of the frame, in [0, 1]."""
    return (frame.clip(value) - frame.low) / (frame.high - frame.low)


def _as_range(frame: Frame) -> FloatDistribution:
    return FloatDistribution(frame.low, frame.high)


def _place(distribution: BaseDistribution, value: Any) -> float:
    """Where a value stands in its range, in [0, 1], on the range's own scale."""
    if isinstance(distribution, CategoricalDistribution):
        return distribution.to_internal_repr(value) / max(len(distribution.choices) - 1, 1)
    assert isinstance(distribution, (FloatDistribution, IntDistribution))
    scaled = math.log if distribution.log else float
    low, high = scaled(distribution.low), scaled(distribution.high)
    return (scaled(value) - low) / (high - low)


def _is_numeric(distribution: BaseDistribution | None) -> bool:
    if not isinstance(distribution, (FloatDistribution, IntDistribution)):
        return False
    return not distribution.single()
