"""What a network looks at: attribution maps over their images, and filters."""

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from lightning_hpo.errors import UserError
from lightning_hpo.plots.style import (
    DIVERGING,
    HEAT,
    WIDTH_IN,
    Array,
    Values,
    as_array,
    show_image,
)

_ROW_LABEL = 10  # characters that fit beside the smallest images


def grad_cam_panel(
    images: Values,
    maps: Values,
    titles: Sequence[str],
    *,
    title: str = "Grad-CAM: where the evidence for the class lies",
    of_true: Mapping[int, Values] | None = None,
) -> Figure:
    """The panel of Grad-CAM; maps with negative values (not rectified) get a diverging scale."""
    signed = bool(as_array(maps).min(initial=0) < 0)
    return attribution_panel(
        images, maps, titles, method="Grad-CAM", signed=signed, title=title, of_true=of_true
    )


def attribution_panel(
    images: Values,
    maps: Values,
    titles: Sequence[str],
    *,
    method: str,
    signed: bool,
    title: str,
    of_true: Mapping[int, Values] | None = None,
) -> Figure:
    """Rows input, heat map and overlay; one column per image (N, C, H, W), up to about eight.

    Each map (N, h, w) is divided by its own largest magnitude; ``signed`` ones get a diverging
    scale. Smaller maps are stretched over the image. ``of_true``: by the numbers of the images that
    were taken for another class, the maps (h, w) of their own, as overlays in a fourth row.
    """
    images_nchw, maps_nhw = as_array(images), as_array(maps)
    n = len(images_nchw)
    if not len(maps_nhw) == len(titles) == n > 0:
        raise UserError(
            "images, maps and titles must be equally many and at least one, "
            f"got {n}, {len(maps_nhw)} and {len(titles)}."
        )
    norm = Normalize(-1 if signed else 0, 1)
    cmap = DIVERGING if signed else HEAT
    tile_in = min(1.9, (WIDTH_IN - 1.4) / n)
    rows = ("input", method, "overlay", *(["overlay, true class"] if of_true else []))
    size = (max(n * tile_in + 1.4, 5.0), len(rows) * tile_in + 1.3)
    figure = Figure(figsize=size, layout="compressed")
    figure.suptitle(title)
    grid = figure.subplots(len(rows), n, squeeze=False)
    for axes, image, heat, label in zip(grid.T, images_nchw, maps_nhw, titles, strict=True):
        _attribution_column(axes, image, heat, cmap=cmap, norm=norm)
        axes[0].set_title(_in_lines(label, int(14 * tile_in)), fontsize=9)
    for axes, name in zip(grid[:, 0], rows, strict=True):
        axes.set_ylabel(_in_lines(name, _ROW_LABEL))
    _hide_ticks(grid)
    if of_true:
        _overlay_row(grid[3], images_nchw, of_true, cmap=cmap, norm=norm)
    meaning = (
        "evidence against (-1) and for (+1) the class"
        if signed
        else "evidence for the class (1 = the image's strongest)"
    )
    # Given to all rows, so that they stay aligned, but as high as those that it explains.
    shrink = 0.96 * (len(rows) - 1) / len(rows)
    bar = figure.colorbar(ScalarMappable(norm, cmap), ax=grid, shrink=shrink, anchor=(0, 0))
    bar.set_label(textwrap.fill(meaning, int(28 * tile_in)), fontsize=9)
    return figure


def _in_lines(text: str, width: int) -> str:
    return textwrap.fill(text, width, break_on_hyphens=False)


def _hide_ticks(grid: NDArray[Any]) -> None:
    """Leaves of all axes the labels on the left: one with neither costs the layout time."""
    for axes in grid.flat:
        axes.set(yticks=[])
        axes.xaxis.set_visible(False)
    for axes in grid[:, 1:].flat:
        axes.yaxis.set_visible(False)


def _overlay_row(
    row: NDArray[Any],
    images_nchw: Array,
    maps: Mapping[int, Values],
    *,
    cmap: str,
    norm: Normalize,
) -> None:
    """Overlays where there are maps; what is left empty keeps the name of the row."""
    for number, axes in enumerate(row):
        if number in maps:
            show_image(axes, images_nchw[number])
            _heat(axes, as_array(maps[number]), over=axes, cmap=cmap, norm=norm)
        else:
            axes.set_frame_on(False)


def _attribution_column(
    axes: NDArray[Any], image_chw: Array, heat_hw: Array, *, cmap: str, norm: Normalize
) -> None:
    show_image(axes[0], image_chw)
    show_image(axes[2], image_chw)
    _heat(axes[1], heat_hw, over=axes[0], cmap=cmap, norm=norm, opaque=True)
    _heat(axes[2], heat_hw, over=axes[0], cmap=cmap, norm=norm)
    if not heat_hw.any():
        axes[1].text(0.05, 0.05, "none", color="0.5", transform=axes[1].transAxes)


def _heat(
    axes: Axes, heat_hw: Array, *, over: Axes, cmap: str, norm: Normalize, opaque: bool = False
) -> None:
    """The map relative to its largest magnitude, where the image of the axes ``over`` lies."""
    relative = heat_hw / (np.abs(heat_hw).max() or 1.0)
    axes.imshow(
        relative,
        cmap=cmap,
        norm=norm,
        extent=over.images[0].get_extent(),
        alpha=None if opaque else 0.8 * np.abs(relative),
        interpolation="bilinear",
    )


def filters(weight: Values, *, title: str = "Filters") -> Figure:
    """All filters of a convolution (out, in, kh, kw) on one colour scale that is symmetric about 0.

    Of several input channels the one with the largest norm is shown: a mean over channels would
    cancel out what the filter does.
    """
    weight_oikk = as_array(weight)
    n_out, n_in, kh, kw = weight_oikk.shape
    strongest = np.square(weight_oikk).sum(axis=(2, 3)).argmax(axis=1)
    tiles = weight_oikk[np.arange(n_out), strongest]
    columns = min(16, n_out, math.ceil(math.sqrt(1.5 * n_out)))
    rows = math.ceil(n_out / columns)
    tiled = mosaic(tiles, rows=rows, columns=columns)
    limit = float(np.abs(tiles).max()) or 1.0

    figure, axes, bar = _mosaic_page(width_in=min(1.6 * columns, 5.9), shape=tiled.shape)
    image = axes.imshow(tiled, cmap=DIVERGING, vmin=-limit, vmax=limit, interpolation="nearest")
    axes.set_facecolor("0.55")
    shown = f"size {kh} x {kw}, {n_out} shown"
    if n_in > 1:
        shown += f", for each the strongest of its {n_in} input channels"
    axes.set_title(f"{title}\n{shown}", fontsize=11)
    height, width = tiled.shape[0] / rows, tiled.shape[1] / columns
    axes.set_xticks((np.arange(columns) + 0.5) * width - 0.5, [f"+{c}" for c in range(columns)])
    axes.set_yticks((np.arange(rows) + 0.5) * height - 0.5, [str(r * columns) for r in range(rows)])
    axes.tick_params(length=0)
    axes.set(xlabel="position in the row", ylabel="first filter of the row")
    figure.colorbar(image, cax=bar, label="weight (0 = white)")
    return figure


def _mosaic_page(*, width_in: float, shape: tuple[int, ...]) -> tuple[Figure, Axes, Axes]:
    """Axes of the mosaic's own proportions and a colour bar of its height.

    Placed by hand: constrained layout clips labels at some proportions of a fixed-aspect image.
    """
    height_in = width_in * shape[0] / shape[1]
    page_w, page_h = max(6.0, width_in + 2.1), height_in + 1.3
    left = (page_w - width_in - 2.1) / 2 + 0.75
    figure = Figure(figsize=(page_w, page_h))
    bottom, height = 0.65 / page_h, height_in / page_h
    axes = figure.add_axes((left / page_w, bottom, width_in / page_w, height))
    bar = figure.add_axes(((left + width_in + 0.15) / page_w, bottom, 0.18 / page_w, height))
    return figure, axes, bar


def mosaic(tiles_okk: Array, *, rows: int, columns: int, scale: int = 6, gap: int = 2) -> Array:
    """Tiles side by side, each value ``scale`` pixels wide, NaN between them and where none is."""
    n_out, kh, kw = tiles_okk.shape
    tiled = np.full((rows, columns, kh * scale + 2 * gap, kw * scale + 2 * gap), np.nan)
    for index in range(n_out):
        tile = np.kron(tiles_okk[index], np.ones((scale, scale)))
        tiled[index // columns, index % columns, gap:-gap, gap:-gap] = tile
    return tiled.swapaxes(1, 2).reshape(rows * tiled.shape[2], columns * tiled.shape[3])
