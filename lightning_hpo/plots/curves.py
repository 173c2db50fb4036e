"""Learning curves over folds."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter
from numpy.typing import NDArray

from lightning_hpo.errors import UserError
from lightning_hpo.plots.style import STAGE_COLOURS, WIDTH_IN, Array, legend_below

_SMOOTH_FROM = 300  # epochs
_LOG_SPAN = 10  # above this ratio of largest to smallest loss the axis is logarithmic


def learning_curves(
    curves: Mapping[str, Sequence[Sequence[float]]],
    *,
    refit: Mapping[str, Sequence[float]] | None = None,
    best_epochs: Sequence[int] | None = None,
    noise_floor: float | None = None,
    stop_epochs: int | None = None,
    band: Literal["range", "std"] = "range",
    title: str = "Learning curves",
) -> Figure:
    """One panel per metric; mean over folds with a band, the refit as a dashed line.

    A loss whose values span decades gets a logarithmic axis; long curves are running means.

    curves:      ``stage/metric`` -> for each fold one value per epoch, NaN where none was taken.
                 Folds may differ in length: then each has a thin line with a cross at its end, and
                 the mean reaches as far as all of them.
    refit:       ``stage/metric`` -> values of the training on all data.
    best_epochs: for each fold the 0-based index of its best epoch, marked on the validation curve.
    noise_floor: the loss that noise alone causes, a line in the panels of a loss.
    stop_epochs: how long the final network was trained, a vertical line.
    band:        smallest to largest fold, or one standard deviation (n - 1) either way.
    """
    refit = refit or {}
    metrics = list(dict.fromkeys(_stage_and_metric(key)[1] for key in [*curves, *refit]))
    if not metrics:
        raise UserError("learning curves need at least one series, got none.")
    figure = Figure(figsize=(WIDTH_IN, 4.6), layout="constrained")
    figure.suptitle(title)
    panels = figure.subplots(1, len(metrics), squeeze=False)[0]
    for axes, metric in zip(panels, metrics, strict=True):
        _metric_panel(axes, metric, curves, refit, best_epochs=best_epochs, band=band)
        if metric.endswith("loss"):
            _loss_axis(axes, noise_floor)
        if stop_epochs is not None:
            label = f"the final fit ended here, {stop_epochs:,} epochs"
            axes.axvline(stop_epochs, color="black", linestyle="-.", linewidth=1.2, label=label)
    legend_below(figure, panels)
    return figure


def _metric_panel(
    axes: Axes,
    metric: str,
    curves: Mapping[str, Sequence[Sequence[float]]],
    refit: Mapping[str, Sequence[float]],
    *,
    best_epochs: Sequence[int] | None,
    band: str,
) -> None:
    series = [*refit.values(), *(fold for folds in curves.values() for fold in folds)]
    n_epochs = max(map(len, series), default=0)
    for key, folds in curves.items():
        stage, name = _stage_and_metric(key)
        if name == metric and len(folds):
            _fold_curves(axes, stage, _padded(folds), band=band, n_epochs=n_epochs)
            if stage == "val":
                _mark_folds(axes, _padded(folds), best_epochs)
    for key, values in refit.items():
        stage, name = _stage_and_metric(key)
        if name == metric:
            _refit_curve(axes, stage, _padded([values])[0], n_epochs=n_epochs)
    means = ", as running means" if n_epochs >= _SMOOTH_FROM else ""
    axes.set(xlabel=f"epochs trained{means}", ylabel=metric)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    axes.margins(x=0.02)
    axes.grid(alpha=0.3)


def _loss_axis(axes: Axes, noise_floor: float | None) -> None:
    """Logarithmic where the drawn values span more than a decade, with the noise floor's line."""
    drawn = np.concatenate([np.asarray(line.get_ydata(), float) for line in axes.lines])
    drawn = drawn[np.isfinite(drawn)]
    if noise_floor is not None:
        label = f"noise variance of the data, {noise_floor:.3g}"
        axes.axhline(noise_floor, color="#CC79A7", linewidth=2, label=label, zorder=1.5)
    if not len(drawn) or drawn.min() <= 0 or drawn.max() <= _LOG_SPAN * drawn.min():
        return
    axes.set_yscale("log")
    axes.set_ylabel(f"{axes.get_ylabel()} (logarithmic)")
    _leave_out_the_first_epochs(axes, drawn)
    low, high = axes.get_ylim()
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 1000 * low else (1,)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def _leave_out_the_first_epochs(axes: Axes, drawn: Array) -> None:
    """A loss that begins very high would press everything else into the bottom of the panel."""
    usual, highest = float(np.quantile(drawn, 0.98)), float(drawn.max())
    if highest <= _LOG_SPAN * usual:
        return
    axes.set_ylim(top=_LOG_SPAN / 2 * usual)
    peak = f"{highest:,.0f}" if highest >= 100 else f"{highest:.3g}"
    axes.annotate(
        f"the first epochs lie above, up to {peak}",
        (1, 1),
        xycoords="axes fraction",
        xytext=(-6, -6),
        textcoords="offset points",
        ha="right",
        va="top",
        fontsize=9,
        color="0.3",
    )


def _stage_and_metric(key: str) -> tuple[str, str]:
    stage, slash, metric = key.partition("/")
    if not slash:
        raise UserError(f"a curve must be named stage/metric, as in val/loss, got {key!r}.")
    return stage, metric


def _padded(folds: Sequence[Sequence[float]]) -> Array:
    """(F, E) with NaN behind the end of the shorter folds."""
    values_fe = np.full((len(folds), max(len(fold) for fold in folds)), np.nan)
    for row, fold in zip(values_fe, folds, strict=True):
        row[: len(fold)] = fold
    return values_fe


def smoothed(values_e: Array, n_epochs: int) -> Array:
    """Running means for a figure of many epochs, where dropout makes a smear; else as it is.

    Each mean reaches up to 1 % of the figure's epochs either way, less where the curve begins,
    since it falls steeply there, and not beyond its end.
    """
    if n_epochs < _SMOOTH_FROM:
        return values_e
    n, index = len(values_e), np.arange(len(values_e))
    before = np.minimum(index // 8, n_epochs // 100)
    after = np.minimum(before, n - 1 - index)
    sums = np.concatenate([[0.0], np.cumsum(values_e)])
    means: Array = (sums[index + after + 1] - sums[index - before]) / (before + after + 1)
    return means


def _fold_curves(axes: Axes, stage: str, values_fe: Array, *, band: str, n_epochs: int) -> None:
    n_folds = len(values_fe)
    measured = np.isfinite(values_fe).any(axis=0)
    epochs, values = np.flatnonzero(measured) + 1, values_fe[:, measured]
    # Behind the first fold's end a mean would jump with every fold that ends, and mislead.
    complete = np.isfinite(values).all(axis=0)
    mean = np.nanmean(values, axis=0)
    colour = STAGE_COLOURS.get(stage, "black")
    marker = "." if len(epochs) <= 30 else ""
    label = f"{stage}, mean of {n_folds} folds" if n_folds > 1 else stage
    line = smoothed(mean[complete], n_epochs)
    axes.plot(epochs[complete], line, color=colour, marker=marker, label=label, linewidth=1.8)
    if not complete.all():
        _each_fold(axes, stage, epochs, values, n_epochs=n_epochs)
    elif n_folds > 1:
        low, high = (smoothed(edge, n_epochs) for edge in _band(values, mean, band))
        what = "smallest to largest" if band == "range" else "± 1 standard deviation"
        label = f"{stage}, {what}"
        axes.fill_between(epochs, low, high, color=colour, alpha=0.2, linewidth=0, label=label)
    elif n_epochs >= _SMOOTH_FROM:
        axes.plot(epochs, mean, color=colour, linewidth=0.6, alpha=0.35, zorder=1.6)


def _each_fold(
    axes: Axes, stage: str, epochs: NDArray[np.int64], values_fe: Array, *, n_epochs: int
) -> None:
    for fold, values in enumerate(values_fe):
        there = np.isfinite(values)
        axes.plot(
            epochs[there],
            smoothed(values[there], n_epochs),
            color=STAGE_COLOURS.get(stage, "black"),
            linewidth=0.9,
            alpha=0.55,
            label=f"{stage}, each fold" if fold == 0 else None,
            zorder=1.8,
        )


def _band(values_fe: Array, mean_e: Array, band: str) -> tuple[Array, Array]:
    if band == "range":
        return np.nanmin(values_fe, axis=0), np.nanmax(values_fe, axis=0)
    n = np.isfinite(values_fe).sum(axis=0)
    variance = np.nansum((values_fe - mean_e) ** 2, axis=0) / np.maximum(n - 1, 1)
    return mean_e - np.sqrt(variance), mean_e + np.sqrt(variance)


def _mark_folds(axes: Axes, values_fe: Array, best_epochs: Sequence[int] | None) -> None:
    """Triangles at the best epochs; crosses where the folds ended, unless all ended together."""
    style: dict[str, Any] = {"linestyle": "", "color": "black", "zorder": 5}
    lasts = [np.flatnonzero(np.isfinite(fold))[-1] for fold in values_fe if np.isfinite(fold).any()]
    if best_epochs is not None:
        folds = range(len(values_fe))
        best = [values_fe[fold, epoch] for fold, epoch in zip(folds, best_epochs, strict=True)]
        name = "best epoch" if len(best) == 1 else "best epoch of each fold"
        x = [epoch + 1 for epoch in best_epochs]
        axes.plot(x, best, marker="v", markersize=5, label=name, **style)
    if len(set(lasts)) > 1:
        ends = [fold[last] for fold, last in zip(values_fe, lasts, strict=True)]
        axes.plot(np.add(lasts, 1), ends, marker="x", label="fold stopped", **style)


def _refit_curve(axes: Axes, stage: str, values_e: Array, *, n_epochs: int) -> None:
    measured = np.flatnonzero(np.isfinite(values_e))
    axes.plot(
        measured + 1,
        smoothed(values_e[measured], n_epochs),
        "--",
        color=STAGE_COLOURS.get(stage, "black"),
        label=f"{stage}, refit on all training data",
    )
