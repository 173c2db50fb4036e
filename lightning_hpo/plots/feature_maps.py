"""What each layer makes of one sample: a mosaic of channels for each layer."""

import math
from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from lightning_hpo.errors import UserError
from lightning_hpo.plots.images import mosaic
from lightning_hpo.plots.style import (
    DIVERGING,
    SEQUENTIAL,
    WIDTH_IN,
    Array,
    Values,
    as_array,
    show_image,
)

_MOST_LAYERS, _MOST_CHANNELS, _COLUMNS = 6, 48, 16
_IMAGE_IN = 1.5
_LAYER_IN = 0.55  # title of a layer
_TILE_PX = 40  # so that the gaps between small maps are as thin as between large ones


def feature_maps(
    image: Values, maps: Mapping[str, Values], *, title: str = "What each layer makes of one sample"
) -> Figure:
    """The sample (C, H, W), then for each layer its channels (C, h, w) on one colour scale.

    Layers with negative values get a diverging scale, symmetric about 0. Of very many channels the
    first are shown, of very many layers evenly spaced ones, and the titles say so.
    """
    layers = {name: as_array(values) for name, values in maps.items()}
    for name, maps_chw in layers.items():
        if maps_chw.ndim != 3:
            raise UserError(
                f"feature maps of one sample must have shape (C, H, W), got {maps_chw.shape} from "
                f"layer={name!r}; choose a convolutional layer."
            )
    chosen = _evenly(list(layers), _MOST_LAYERS)
    if len(chosen) < len(layers):
        title += f", {len(chosen)} of {len(layers)} layers"
    heights = [_IMAGE_IN] + [_height_in(layers[name]) for name in chosen]
    figure = Figure(figsize=(WIDTH_IN, sum(heights) + 0.4), layout="constrained")
    figure.suptitle(title)
    parts = figure.subfigures(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0]
    axes = parts[0].subplots()
    axes.set_axis_off()
    show_image(axes, as_array(image))
    for part, name in zip(parts[1:], chosen, strict=True):
        _layer(part, name, layers[name])
    return figure


def _evenly(names: list[str], n: int) -> list[str]:
    """At most ``n`` of the names, the first and the last included."""
    if len(names) <= n:
        return names
    return [names[round(i)] for i in np.linspace(0, len(names) - 1, n)]


def _height_in(maps_chw: Array) -> float:
    channels, height, width = maps_chw.shape
    rows = math.ceil(min(channels, _MOST_CHANNELS) / _COLUMNS)
    tile_in = (WIDTH_IN - 1.2) / _COLUMNS
    return rows * tile_in * height / width + _LAYER_IN


def _layer(part: SubFigure, name: str, maps_chw: Array) -> None:
    channels, height, width = maps_chw.shape
    shown = maps_chw[:_MOST_CHANNELS]
    axes: Axes = part.subplots()
    signed = bool(maps_chw.min() < 0)
    limit = float(np.abs(shown).max()) or 1.0
    columns = min(_COLUMNS, len(shown))
    rows, scale = math.ceil(len(shown) / columns), max(1, _TILE_PX // width)
    picture = axes.imshow(
        mosaic(shown, rows=rows, columns=columns, scale=scale, gap=1),
        cmap=DIVERGING if signed else SEQUENTIAL,
        vmin=-limit if signed else 0,
        vmax=limit,
        interpolation="nearest",
    )
    axes.set(xticks=[], yticks=[], facecolor="0.55", anchor="W")
    size = f"{channels} channels of {height} x {width}"
    first = f", the first {len(shown)} shown" if len(shown) < channels else ""
    axes.set_title(f"{name}: {size}{first}", fontsize=10, loc="left")
    part.colorbar(picture, ax=axes, label="activation", pad=0.01, aspect=12)
