"""What every figure shares: size, colours, the way from tensors to arrays, and to a PNG file."""

import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from lightning_hpo.errors import UserError

Array = NDArray[np.float64]
Pixels = NDArray[np.uint8]
Values = Tensor | NDArray[Any] | Sequence[Any]

WIDTH_IN = 8.0
STAGE_COLOURS = {"train": "#0072B2", "val": "#D55E00", "test": "#009E73"}
SEQUENTIAL, DIVERGING, HEAT = "Blues", "RdBu_r", "inferno"


def legend_below(figure: Figure, panels: Iterable[Axes], *, columns: int = 3) -> None:
    """One legend for all panels, each label once."""
    by_label: dict[str, Any] = {}
    for axes in panels:
        handles, labels = axes.get_legend_handles_labels()
        by_label |= dict(zip(labels, handles, strict=True))
    figure.legend(
        by_label.values(),
        by_label.keys(),
        loc="outside lower center",
        ncols=columns,
        fontsize=9,
    )


def rendered(figure: Figure, *, dpi: float) -> Pixels:
    """RGB pixels (H, W, 3), bytes; rendered once for all the places that show them."""
    # ``savefig`` would draw twice: a first time without a picture, to lay out the panels.
    figure.set_dpi(dpi)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.ascontiguousarray(np.asarray(canvas.buffer_rgba())[..., :3])


def save_png(figure: Figure, path: Path, *, max_kb: int = 350) -> Pixels:
    """Write ``figure`` at the highest of a few resolutions whose file has at most ``max_kb`` kB.

    Returns the pixels of the file, as :func:`rendered` does.
    """
    for dpi in (150, 120, 100, 80, 60):
        pixels, buffer = rendered(figure, dpi=dpi), io.BytesIO()
        Image.fromarray(pixels).save(buffer, format="png", dpi=(dpi, dpi))
        if buffer.tell() <= max_kb * 1000:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(buffer.getvalue())
            return pixels
    raise UserError(
        f"{path.name} must fit into max_kb={max_kb}, got {buffer.tell() / 1000:.0f} kB at the "
        "lowest resolution; raise max_kb or draw fewer panels."
    )


def as_array(values: Values) -> Array:
    array: Array = torch.as_tensor(values).detach().cpu().double().numpy()
    return array


def show_image(axes: Axes, image_chw: Array) -> None:
    """Grey or RGB, stretched from the image's minimum to its maximum (it may be normalised)."""
    span = image_chw.max() - image_chw.min() or 1.0
    image = (image_chw - image_chw.min()) / span
    if len(image) == 3:
        axes.imshow(image.transpose(1, 2, 0))
    else:
        axes.imshow(image.mean(axis=0), cmap="gray", vmin=0, vmax=1)
