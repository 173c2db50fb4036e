"""What a regressor predicts: its curve over one input, or predicted against true values."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lightning_hpo.errors import UserError
from lightning_hpo.plots.style import STAGE_COLOURS, WIDTH_IN, Array, Values, as_array, legend_below

_MARKERS = {"train": "o", "val": "s", "test": "^"}
_SAMPLES = {"train": "training samples", "val": "validation samples", "test": "test samples"}


@dataclass(frozen=True)
class Line:
    """A curve over one input: x (G,), y (G,), or for a band y (F, G)."""

    x: Values
    y: Values


@dataclass(frozen=True)
class Samples:
    """Samples of one stage, each (N,): ``x`` is the input, or for another figure the prediction."""

    x: Values
    y: Values


def fitted_curve(
    network: Line,
    *,
    train: Samples,
    val: Samples | None = None,
    test: Samples | None = None,
    true: Line | None = None,
    folds: Line | None = None,
    holdout: Line | None = None,
    names: tuple[str, str] = ("input", "target"),
    called: str = "final network",
    title: str = "Predictions of the final network",
) -> Figure:
    """One panel over the samples of each stage that is given, with the same curves.

    network: predictions of the network that is shown, which the legend names as ``called``.
    true:    the curve without noise, where it is known.
    folds:   y (F, G) of the folds' networks; a band from the smallest to the largest is drawn.
    holdout: predictions of the network trained on a part of the data without early stopping.
    names:   of the input and of the target, with their units.
    """
    figure = Figure(figsize=(WIDTH_IN, 4.8), layout="constrained")
    figure.suptitle(title)
    stages = _stages(train, val, test)
    panels = figure.subplots(1, len(stages), sharex=True, sharey=True, squeeze=False)[0]
    for axes, (stage, samples) in zip(panels, stages.items(), strict=True):
        _curves(axes, true=true, folds=folds, holdout=holdout)
        axes.plot(*_xy(network), color="black", linewidth=1.6, label=called)
        draw_samples(axes, stage, samples)
        axes.set(title=f"{len(as_array(samples.x))} {_SAMPLES[stage]}", xlabel=names[0])
        axes.grid(alpha=0.3)
    panels[0].set_ylabel(names[1])
    # Samples and true curve decide what is seen: a wild fold leaves the page, not they.
    seen = [samples.y for samples in stages.values()]
    panels[0].set_ylim(limits_of(*seen, network.y, *([true.y] if true else [])))
    legend_below(figure, panels, columns=2)
    return figure


def _stages(train: Samples | None, val: Samples | None, test: Samples | None) -> dict[str, Samples]:
    given = {"train": train, "val": val, "test": test}
    return {stage: samples for stage, samples in given.items() if samples is not None}


def _curves(axes: Axes, *, true: Line | None, folds: Line | None, holdout: Line | None) -> None:
    if folds is not None:
        y_fg = as_array(folds.y)
        axes.fill_between(
            as_array(folds.x),
            y_fg.min(axis=0),
            y_fg.max(axis=0),
            color="#CC79A7",
            alpha=0.45,
            linewidth=0,
            label=f"networks of the {len(y_fg)} folds, smallest to largest",
        )
    if true is not None:
        draw_true_curve(axes, true)
    if holdout is not None:
        label = "trained on a part, no early stopping"
        axes.plot(*_xy(holdout), ":", color="#D55E00", linewidth=2, label=label)


def draw_true_curve(axes: Axes, line: Line) -> None:
    axes.plot(*_xy(line), "--", color="#E69F00", linewidth=2.2, label="true curve, no noise")


def draw_samples(axes: Axes, stage: str, samples: Samples) -> None:
    """Marks in the colour of ``stage``, with its label."""
    axes.plot(
        as_array(samples.x),
        as_array(samples.y),
        _MARKERS[stage],
        color=STAGE_COLOURS[stage],
        markersize=4.5,
        alpha=0.75,
        markeredgewidth=0,
        label=_SAMPLES[stage],
        zorder=2.5,
    )


def _xy(line: Line) -> tuple[Array, Array]:
    return as_array(line.x), as_array(line.y)


def limits_of(*values: Values) -> tuple[float, float]:
    """The range of all values with a margin."""
    flat = np.concatenate([as_array(v).ravel() for v in values])
    margin = 0.06 * (flat.max() - flat.min() or 1.0)
    return flat.min() - margin, flat.max() + margin


def draw_identity(axes: Axes, limits: tuple[float, float], *, target_name: str) -> None:
    """The line on which predictions are true, in a square with the same limits on both axes."""
    axes.plot(limits, limits, color="0.3", linewidth=1.2, label="predicted = true", zorder=1.5)
    axes.set(xlim=limits, ylim=limits, xlabel=f"true {target_name}", box_aspect=1)
    axes.grid(alpha=0.3)


def predicted_against_true(
    *,
    train: Samples | None = None,
    val: Samples | None = None,
    test: Samples | None = None,
    target_name: str = "target",
    title: str = "Predicted against true values, final network",
) -> Figure:
    """One panel for each stage that is given: the identity line, mean squared error and R².

    train, val, test: ``x`` holds the true values, ``y`` the predicted ones.
    """
    stages = _stages(train, val, test)
    figure, panels = _side_by_side(len(stages), title, height_in=5.3)
    limits = limits_of(*(values for s in stages.values() for values in (s.x, s.y)))
    for axes, (stage, samples) in zip(panels, stages.items(), strict=True):
        _head(axes, stage, samples, _quality(samples))
        draw_samples(axes, stage, samples)
        draw_identity(axes, limits, target_name=target_name)
    panels[0].set_ylabel(f"predicted {target_name}")
    legend_below(figure, panels)
    return figure


def _side_by_side(n: int, title: str, *, height_in: float) -> tuple[Figure, Sequence[Axes]]:
    """A figure of ``n`` panels with common axes."""
    figure = Figure(figsize=(WIDTH_IN, height_in), layout="constrained")
    figure.suptitle(title)
    return figure, figure.subplots(1, n, sharex=True, sharey=True, squeeze=False)[0]


def _head(axes: Axes, stage: str, samples: Samples, finding: str) -> None:
    axes.set_title(f"{len(as_array(samples.x))} {_SAMPLES[stage]}\n{finding}", fontsize=11)


def residuals(
    *,
    train: Samples | None = None,
    val: Samples | None = None,
    test: Samples | None = None,
    target_name: str = "target",
    title: str = "Residuals over predicted values, final network",
) -> Figure:
    """One panel for each stage that is given: predicted minus true over predicted values.

    train, val, test: ``x`` holds the true values, ``y`` the predicted ones.
    """
    stages = _stages(train, val, test)
    figure, panels = _side_by_side(len(stages), title, height_in=4.8)
    for axes, (stage, samples) in zip(panels, stages.items(), strict=True):
        true, predicted = _xy(Line(samples.x, samples.y))
        errors = predicted - true
        draw_samples(axes, stage, Samples(predicted, errors))
        axes.axhline(0, color="0.3", linewidth=1.2, label="predicted = true", zorder=1.5)
        spread = f"mean {errors.mean():.3g}, standard deviation {errors.std():.3g}"
        _head(axes, stage, samples, spread)
        axes.set(xlabel=f"predicted {target_name}")
        axes.grid(alpha=0.3)
    panels[0].set_ylabel("predicted - true")
    legend_below(figure, panels)
    return figure


def _quality(samples: Samples) -> str:
    true, predicted = _xy(Line(samples.x, samples.y))
    if true.shape != predicted.shape or not len(true):
        raise UserError(
            "true and predicted values must be equally many and at least one, "
            f"got shapes {true.shape} and {predicted.shape}."
        )
    error = np.mean((predicted - true) ** 2)
    variance = true.var()
    explained = f", R² {1 - error / variance:.3f}" if variance > 0 else ""
    return f"mean squared error {error:.4g}{explained}"
