"""Inside a network: activations of its last hidden layer, weights before and after training."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize, PowerNorm
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator
from numpy.typing import NDArray

from lightning_hpo.errors import UserError
from lightning_hpo.plots.style import (
    DIVERGING,
    SEQUENTIAL,
    STAGE_COLOURS,
    WIDTH_IN,
    Array,
    Values,
    as_array,
)

_COLUMNS = 3
_LOG_ABOVE = 1000  # of a layer's weights
_FEWEST_BINS, _MOST_BINS = 12, 40
_MOST_LAYERS = 24  # of more histograms nobody could make out any
_CHARACTERS_PER_IN = 13.5  # of a title in font size 9


def hidden_activations(
    x: Values,
    activations: Values,
    *,
    predicted: Values | None = None,
    names: tuple[str, str] = ("input", "target"),
    title: str = "Last hidden layer",
) -> Figure:
    """A heat map with one row for each neuron over one input, above it the prediction.

    x:           (G,) increasing and evenly spaced: the input, or a rank where there are several.
    activations: (G, L). Neurons are sorted by where they peak, then by their centre of mass; those
                 that answer the same to every input (dead, for a ReLU) come last and are counted.
    predicted:   (G,) what the network makes of them.
    """
    x_g, values_gl = as_array(x), as_array(activations)
    if values_gl.ndim != 2 or len(values_gl) != len(x_g):
        raise UserError(
            f"activations must have shape ({len(x_g)}, neurons), got shape {values_gl.shape}."
        )
    order, n_dead = _by_peak(values_gl)
    n = len(order)
    figure = Figure(figsize=(WIDTH_IN, 6.2), layout="constrained")
    dead = f"{n_dead} dead (the same for every input)" if n_dead else "none dead"
    figure.suptitle(f"{title}: {n} neurons, {dead}")
    top, heat = figure.subplots(2, 1, sharex=True, height_ratios=(1, 2.6))
    if predicted is None:
        top.remove()
    else:
        top.plot(x_g, as_array(predicted), color="black", linewidth=1.6)
        top.set(ylabel=f"predicted {names[1]}")
        top.grid(alpha=0.3)
    norm, cmap = _heat_scale(values_gl)
    half = (x_g[-1] - x_g[0]) / max(len(x_g) - 1, 1) / 2
    image = heat.imshow(
        values_gl[:, order].T,
        cmap=cmap,
        norm=norm,
        aspect="auto",
        interpolation="nearest",
        extent=(x_g[0] - half, x_g[-1] + half, n + 0.5, 0.5),
    )
    if n_dead:
        heat.axhline(n - n_dead + 0.5, color="#D55E00", linewidth=1.2)
    heat.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
    heat.set(xlabel=names[0], ylabel="neurons, sorted by where they peak")
    figure.colorbar(image, ax=heat, label=_heat_label(values_gl), pad=0.02)
    return figure


def _by_peak(values_gl: Array) -> tuple[NDArray[np.intp], int]:
    """The order of the neurons, and how many of them are dead."""
    strength_gl = np.abs(values_gl)
    dead = np.ptp(values_gl, axis=0) == 0
    total = np.maximum(strength_gl.sum(axis=0), np.finfo(float).tiny)
    centre = (strength_gl * np.arange(len(values_gl))[:, None]).sum(axis=0) / total
    return np.lexsort((centre, strength_gl.argmax(axis=0), dead)), int(dead.sum())


def _heat_scale(values_gl: Array) -> tuple[Normalize, str]:
    limit = float(np.abs(values_gl).max()) or 1.0
    if values_gl.min() < 0:
        return Normalize(-limit, limit), DIVERGING
    return PowerNorm(0.5, vmin=0, vmax=limit), SEQUENTIAL


def _heat_label(values_gl: Array) -> str:
    return "activation" if values_gl.min() < 0 else "activation (square-root colour scale)"


def weight_histograms(
    before: Mapping[str, Values],
    after: Mapping[str, Values],
    *,
    title: str = "Weights before and after training",
) -> Figure:
    """One panel for each layer, in which both histograms share bins and axes.

    Of very many layers the last ones are shown, which the title says.
    """
    if not before or list(before) != list(after):
        raise UserError(
            "weights before and after must belong to the same layers and at least one, "
            f"got {list(before)} and {list(after)}."
        )
    names = list(before)[-_MOST_LAYERS:]
    if len(names) < len(before):
        title += f", the last {len(names)} of {len(before)} layers"
    columns = min(_COLUMNS, len(names))
    rows = math.ceil(len(names) / columns)
    figure = Figure(figsize=(WIDTH_IN, 2.5 * rows + 1.0), layout="constrained")
    figure.suptitle(title)
    grid = figure.subplots(rows, columns, squeeze=False)
    # Beside the panel stands its scale.
    room = int(_CHARACTERS_PER_IN * (WIDTH_IN / columns - 0.9))
    for axes, name in zip(grid.flat, names, strict=False):
        _layer_histogram(axes, as_array(before[name]), as_array(after[name]))
        axes.set_title(_layer_title(name, before[name], after[name], room), fontsize=9)
    for axes in grid.flat[len(names) :]:
        axes.remove()
    handles, labels = grid.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, fontsize=9)
    return figure


def _layer_title(name: str, before: Values, after: Values, room: int) -> str:
    """Name, shape and spread, in lines that fit ``room`` characters, as spreads do."""
    short, shape = _end_of(name, room), " x ".join(map(str, as_array(before).shape))
    gap = " " if len(short) + len(shape) + 3 <= room else "\n"
    spreads = f"std {as_array(before).std():.3g} before, {as_array(after).std():.3g} after"
    return f"{short}{gap}({shape})\n{spreads}"


def _end_of(name: str, room: int) -> str:
    """A dotted name that is too long keeps its end, which tells it from others."""
    if len(name) <= room:
        return name
    parts = name.split(".")
    kept = next((p for k in range(len(parts)) if len(p := ".".join(parts[k:])) < room), None)
    return "…" + (kept or name[1 - room :])


def _layer_histogram(axes: Axes, before: Array, after: Array) -> None:
    both = np.concatenate([before.ravel(), after.ravel()])
    n_bins = int(np.clip(math.sqrt(both.size), _FEWEST_BINS, _MOST_BINS))
    edges = np.histogram_bin_edges(both, bins=n_bins)
    styles: tuple[tuple[Array, str, dict[str, Any]], ...] = (
        (after, "after training", {"color": STAGE_COLOURS["val"], "alpha": 0.55, "fill": True}),
        (before, "before training", {"color": STAGE_COLOURS["train"], "linewidth": 1.6}),
    )
    for values, label, style in styles:
        shares = 100 * np.histogram(values, bins=edges)[0] / values.size
        axes.stairs(shares, edges, label=label, **style)
    axes.set_ylabel("share in %")
    if before.size > _LOG_ABOVE:
        # Training moves few weights far, and those are what one looks for.
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{share:g}"))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.set_ylabel("share in % (logarithmic)")
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.set_xlabel("weight")
    axes.grid(alpha=0.3)
