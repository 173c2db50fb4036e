"""Figures from arrays: pure functions that return a `matplotlib.figure.Figure`.

No pyplot, hence no global state and nothing to close. Figures are at most 8 inches wide, so that
their text is readable at 800 pixels. Colours are the Okabe-Ito set and maps that survive colour
blindness and grey printing; a diverging map is always symmetric about zero.

Shapes: N images, C channels, H x W pixels, K classes, F folds, E epochs.
"""

import io
import math
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize, PowerNorm
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray
from torch import Tensor

from lightning_hpo.errors import UserError

Array = NDArray[np.float64]
Values = Tensor | NDArray[Any] | Sequence[Any]

WIDTH_IN = 8.0
STAGE_COLOURS = {"train": "#0072B2", "val": "#D55E00", "test": "#009E73"}
SEQUENTIAL, DIVERGING, HEAT = "Blues", "RdBu_r", "inferno"
ANNOTATED_CLASSES = 20  # numbers in a larger confusion matrix would not be readable


def confusion_matrix(
    counts: Values, classes: Sequence[str], *, title: str = "Confusion matrix"
) -> Figure:
    """Shares of each true class (rows, K) by predicted class (columns), and accuracy by class.

    `counts[i, j]` samples of class i were predicted as j. A class without samples has an empty row.
    """
    counts_kk = _array(counts)
    k = len(classes)
    if counts_kk.shape != (k, k):
        raise UserError(
            f"counts must have shape ({k}, {k}) for {k} classes, got shape {counts_kk.shape}."
        )
    totals = counts_kk.sum(axis=1, keepdims=True)
    shares = np.divide(counts_kk, totals, out=np.full((k, k), np.nan), where=totals > 0)
    accuracy = counts_kk.trace() / max(counts_kk.sum(), 1)

    fig = Figure(figsize=(WIDTH_IN, 6.6), layout="constrained")
    fig.suptitle(f"{title}: accuracy {accuracy:.1%} of {counts_kk.sum():,.0f} samples")
    matrix, bars = fig.subplots(1, 2, sharey=True, width_ratios=(4, 1))
    image = matrix.imshow(
        shares, cmap=SEQUENTIAL, norm=PowerNorm(0.5, vmin=0, vmax=1), aspect="auto"
    )
    if k <= ANNOTATED_CLASSES:
        _annotate_shares(matrix, shares)
    step = math.ceil(k / 40)  # more names than that do not fit
    ticks, names, size = range(0, k, step), classes[::step], 10 if k <= ANNOTATED_CLASSES else 7
    matrix.set_xticks(ticks, names, rotation=45, ha="right", rotation_mode="anchor", fontsize=size)
    matrix.set_yticks(ticks, names, fontsize=size)
    matrix.set(xlabel="predicted class", ylabel="true class", title="share of the true class in %")
    _class_accuracy(bars, np.diagonal(shares))
    fig.colorbar(
        image,
        ax=matrix,
        location="bottom",
        shrink=0.7,
        ticks=[0, 0.01, 0.05, 0.2, 0.5, 1],
        format=FuncFormatter(lambda share, _: f"{share:.0%}"),
        label="share of the true class (square-root colour scale)",
    )
    return fig


def _annotate_shares(axes: Axes, shares_kk: Array) -> None:
    for (row, column), share in np.ndenumerate(shares_kk):
        if share > 0:
            label = "<1" if share < 0.01 else f"{share * 100:.0f}"
            colour = "white" if share > 0.35 else "black"
            axes.text(column, row, label, ha="center", va="center", color=colour, fontsize=9)


def _class_accuracy(axes: Axes, accuracy_k: Array) -> None:
    rows = range(len(accuracy_k))
    bars = axes.barh(rows, np.nan_to_num(accuracy_k), color=STAGE_COLOURS["train"], height=0.7)
    if len(accuracy_k) <= ANNOTATED_CLASSES:
        labels = ["no samples" if np.isnan(share) else f"{share:.1%}" for share in accuracy_k]
        axes.bar_label(bars, labels, padding=3, fontsize=9)
    axes.set(xlim=(0, 1.5), xlabel="accuracy", title="by class")
    axes.set_xticks([0, 0.5, 1], ["0%", "50%", "100%"])
    axes.tick_params(axis="y", left=False)


def learning_curves(
    curves: Mapping[str, Sequence[Sequence[float]]],
    *,
    refit: Mapping[str, Sequence[float]] | None = None,
    best_epochs: Sequence[int] | None = None,
    band: Literal["range", "std"] = "range",
    title: str = "Learning curves",
) -> Figure:
    """One panel per metric; mean over folds with a band, the refit as a dashed line.

    curves:      `stage/metric` -> for each fold one value per epoch, NaN where none was taken.
                 Folds may differ in length: where some have stopped, the mean over the others is
                 dotted, and crosses mark where the folds ended.
    refit:       `stage/metric` -> values of the training on all data.
    best_epochs: for each fold the 0-based index of its best epoch, marked on the validation curve.
    band:        smallest to largest fold, or one standard deviation (n - 1) either way.
    """
    refit = refit or {}
    metrics = list(dict.fromkeys(_stage_and_metric(key)[1] for key in [*curves, *refit]))
    if not metrics:
        raise UserError("learning curves need at least one series, got none.")
    fig = Figure(figsize=(WIDTH_IN, 4.6), layout="constrained")
    fig.suptitle(title)
    panels = fig.subplots(1, len(metrics), squeeze=False)[0]
    for axes, metric in zip(panels, metrics, strict=True):
        for key, folds in curves.items():
            stage, name = _stage_and_metric(key)
            if name == metric and len(folds):
                _fold_curves(axes, stage, _padded(folds), band=band)
                if stage == "val":
                    _mark_folds(axes, _padded(folds), best_epochs)
        for key, values in refit.items():
            stage, name = _stage_and_metric(key)
            if name == metric:
                _refit_curve(axes, stage, _padded([values])[0])
        axes.set(xlabel="epochs trained", ylabel=metric)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
    _legend_below(fig, panels)
    return fig


def _legend_below(fig: Figure, panels: Sequence[Axes]) -> None:
    """One legend for all panels, each label once."""
    by_label: dict[str, Any] = {}
    for axes in panels:
        handles, labels = axes.get_legend_handles_labels()
        by_label |= dict(zip(labels, handles, strict=True))
    fig.legend(by_label.values(), by_label.keys(), loc="outside lower center", ncols=3, fontsize=9)


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


def _fold_curves(axes: Axes, stage: str, values_fe: Array, *, band: str) -> None:
    n_folds = len(values_fe)
    measured = np.isfinite(values_fe).any(axis=0)
    epochs, values = np.flatnonzero(measured) + 1, values_fe[:, measured]
    mean = np.nanmean(values, axis=0)
    complete = np.isfinite(values).all(axis=0)
    colour = STAGE_COLOURS.get(stage, "black")
    marker = "." if len(epochs) <= 30 else ""
    label = f"{stage}, mean of {n_folds} folds" if n_folds > 1 else stage
    axes.plot(
        epochs[complete], mean[complete], color=colour, marker=marker, label=label, linewidth=1.8
    )
    if not complete.all():
        axes.plot(
            epochs, mean, ":", color=colour, label=f"{stage}, some folds have stopped", zorder=1
        )
    if n_folds > 1:
        low, high = _band(values, mean, band)
        what = "smallest to largest" if band == "range" else "± 1 standard deviation"
        axes.fill_between(
            epochs, low, high, color=colour, alpha=0.2, linewidth=0, label=f"{stage}, {what}"
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


def _refit_curve(axes: Axes, stage: str, values_e: Array) -> None:
    measured = np.flatnonzero(np.isfinite(values_e))
    axes.plot(
        measured + 1,
        values_e[measured],
        "--",
        color=STAGE_COLOURS.get(stage, "black"),
        label=f"{stage}, refit on all training data",
    )


def grad_cam_panel(
    images: Values,
    maps: Values,
    titles: Sequence[str],
    *,
    title: str = "Grad-CAM: where the evidence for the class lies",
) -> Figure:
    """Rows input, heat map and overlay; one column per image (N, C, H, W), up to about eight.

    Each map (N, h, w) is divided by its own largest magnitude. Maps with negative values (not
    rectified) get a diverging scale. Smaller maps are stretched over the image.
    """
    images_nchw, maps_nhw = _array(images), _array(maps)
    n = len(images_nchw)
    if not len(maps_nhw) == len(titles) == n > 0:
        raise UserError(
            "images, maps and titles must be equally many and at least one, "
            f"got {n}, {len(maps_nhw)} and {len(titles)}."
        )
    signed = bool(maps_nhw.min() < 0)
    norm = Normalize(-1 if signed else 0, 1)
    cmap = DIVERGING if signed else HEAT
    tile_in = min(1.9, (WIDTH_IN - 1.4) / n)
    fig = Figure(figsize=(max(n * tile_in + 1.4, 5.0), 3 * tile_in + 1.3), layout="compressed")
    fig.suptitle(title)
    grid = fig.subplots(3, n, squeeze=False)
    for axes, image, heat, label in zip(grid.T, images_nchw, maps_nhw, titles, strict=True):
        _grad_cam_column(axes, image, heat, cmap=cmap, norm=norm)
        lines = textwrap.wrap(label, int(14 * tile_in), break_on_hyphens=False)
        axes[0].set_title("\n".join(lines), fontsize=9)
    for row, name in enumerate(("input", "Grad-CAM", "overlay")):
        grid[row, 0].set_ylabel(name)
    for axes in grid.flat:
        axes.set(xticks=[], yticks=[])
    meaning = (
        "evidence against (-1) and for (+1) the class"
        if signed
        else "evidence for the class (1 = the image's strongest)"
    )
    # Given to all rows, so that they stay aligned, but as high as the two that it explains.
    bar = fig.colorbar(ScalarMappable(norm, cmap), ax=grid, shrink=0.64, anchor=(0, 0))
    bar.set_label(textwrap.fill(meaning, int(28 * tile_in)), fontsize=9)
    return fig


def _grad_cam_column(
    axes: NDArray[Any], image_chw: Array, heat_hw: Array, *, cmap: str, norm: Normalize
) -> None:
    relative = heat_hw / (np.abs(heat_hw).max() or 1.0)
    _show(axes[0], image_chw)
    _show(axes[2], image_chw)
    extent = axes[0].images[0].get_extent()
    for row, alpha in ((1, None), (2, 0.8 * np.abs(relative))):
        axes[row].imshow(
            relative, cmap=cmap, norm=norm, extent=extent, alpha=alpha, interpolation="bilinear"
        )
    if not relative.any():
        axes[1].text(0.05, 0.05, "none", color="0.5", transform=axes[1].transAxes)


def filters(weight: Values, *, title: str = "Filters") -> Figure:
    """All filters of a convolution (out, in, kh, kw) on one colour scale that is symmetric about 0.

    Of several input channels the one with the largest norm is shown: a mean over channels would
    cancel out what the filter does.
    """
    weight_oikk = _array(weight)
    n_out, n_in, kh, kw = weight_oikk.shape
    strongest = np.square(weight_oikk).sum(axis=(2, 3)).argmax(axis=1)
    tiles = weight_oikk[np.arange(n_out), strongest]
    columns = min(16, n_out, math.ceil(math.sqrt(1.5 * n_out)))
    rows = math.ceil(n_out / columns)
    mosaic = _mosaic(tiles, rows=rows, columns=columns)
    limit = float(np.abs(tiles).max()) or 1.0

    fig, axes, bar = _mosaic_page(width_in=min(1.6 * columns, 5.9), shape=mosaic.shape)
    image = axes.imshow(mosaic, cmap=DIVERGING, vmin=-limit, vmax=limit, interpolation="nearest")
    axes.set_facecolor("0.55")
    shown = f"size {kh} x {kw}, {n_out} shown"
    if n_in > 1:
        shown += f", for each the strongest of its {n_in} input channels"
    axes.set_title(f"{title}\n{shown}", fontsize=11)
    height, width = mosaic.shape[0] / rows, mosaic.shape[1] / columns
    axes.set_xticks((np.arange(columns) + 0.5) * width - 0.5, [f"+{c}" for c in range(columns)])
    axes.set_yticks((np.arange(rows) + 0.5) * height - 0.5, [str(r * columns) for r in range(rows)])
    axes.tick_params(length=0)
    axes.set(xlabel="position in the row", ylabel="first filter of the row")
    fig.colorbar(image, cax=bar, label="weight (0 = white)")
    return fig


def _mosaic_page(*, width_in: float, shape: tuple[int, ...]) -> tuple[Figure, Axes, Axes]:
    """Axes of the mosaic's own proportions and a colour bar of its height.

    Placed by hand: constrained layout clips labels at some proportions of a fixed-aspect image.
    """
    height_in = width_in * shape[0] / shape[1]
    page_w, page_h = max(6.0, width_in + 2.1), height_in + 1.3
    left = (page_w - width_in - 2.1) / 2 + 0.75
    fig = Figure(figsize=(page_w, page_h))
    bottom, height = 0.65 / page_h, height_in / page_h
    axes = fig.add_axes((left / page_w, bottom, width_in / page_w, height))
    bar = fig.add_axes(((left + width_in + 0.15) / page_w, bottom, 0.18 / page_w, height))
    return fig, axes, bar


def _mosaic(tiles_okk: Array, *, rows: int, columns: int, scale: int = 6, gap: int = 2) -> Array:
    """Tiles side by side, each weight `scale` pixels wide, NaN between them and where none is."""
    n_out, kh, kw = tiles_okk.shape
    mosaic = np.full((rows, columns, kh * scale + 2 * gap, kw * scale + 2 * gap), np.nan)
    for index in range(n_out):
        tile = np.kron(tiles_okk[index], np.ones((scale, scale)))
        mosaic[index // columns, index % columns, gap:-gap, gap:-gap] = tile
    return mosaic.swapaxes(1, 2).reshape(rows * mosaic.shape[2], columns * mosaic.shape[3])


def confident_mistakes(
    images: Values,
    probabilities: Values,
    labels: Values,
    classes: Sequence[str],
    *,
    n: int = 10,
    title: str = "Most confident mistakes",
) -> Figure:
    """The `n` wrong predictions of largest probability, best first; fewer if there are fewer."""
    images_nchw, probabilities_nk = _array(images), _array(probabilities)
    labels_n = _array(labels).astype(int)
    predicted = probabilities_nk.argmax(axis=1)
    confidence = np.where(predicted == labels_n, -1.0, probabilities_nk.max(axis=1))
    chosen = [index for index in np.argsort(-confidence)[:n] if confidence[index] >= 0]
    rows, columns = max(1, math.ceil(len(chosen) / 5)), 5
    fig = Figure(figsize=(WIDTH_IN, 2.05 * rows + 0.5), layout="constrained")
    fig.suptitle(f"{title}: {len(chosen)} of {(confidence >= 0).sum()} among {len(labels_n)}")
    for position, axes in enumerate(fig.subplots(rows, columns, squeeze=False).flat):
        axes.set_axis_off()
        if position < len(chosen):
            index = chosen[position]
            _show(axes, images_nchw[index])
            axes.set_title(
                f"true: {classes[labels_n[index]]}\n"
                f"taken for: {classes[predicted[index]]}\nwith {confidence[index]:.1%}",
                fontsize=9,
            )
    return fig


def save_png(fig: Figure, path: Path, *, max_kb: int = 350) -> Path:
    """Write `fig` at the highest of a few resolutions whose file has at most `max_kb` kB."""
    for dpi in (150, 120, 100, 80, 60):
        buffer = io.BytesIO()
        fig.savefig(buffer, format="png", dpi=dpi)
        if buffer.tell() <= max_kb * 1000:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(buffer.getvalue())
            return path
    raise UserError(
        f"{path.name} must fit into max_kb={max_kb}, got {buffer.tell() / 1000:.0f} kB at the "
        "lowest resolution; raise max_kb or draw fewer panels."
    )


def _array(values: Values) -> Array:
    array: Array = torch.as_tensor(values).detach().cpu().double().numpy()
    return array


def _show(axes: Axes, image_chw: Array) -> None:
    """Grey or RGB, stretched from the image's minimum to its maximum (it may be normalised)."""
    span = image_chw.max() - image_chw.min() or 1.0
    image = (image_chw - image_chw.min()) / span
    if len(image) == 3:
        axes.imshow(image.transpose(1, 2, 0))
    else:
        axes.imshow(image.mean(axis=0), cmap="gray", vmin=0, vmax=1)
