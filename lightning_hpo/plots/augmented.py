"""What augmentation makes of training images: originals beside several changed versions."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lightning_hpo.errors import UserError
from lightning_hpo.plots.style import WIDTH_IN, Array, Values, as_array


def augmented_samples(
    originals: Values, versions: Values, *, title: str = "Training images as the network sees them"
) -> Figure:
    """One row for each original (N, C, H, W): it, then its versions (N, V, C, H, W).

    All images are on one scale of grey (or per colour), from the smallest to the largest value of
    the originals, so that noise and erased pixels look as strong as they are.
    """
    originals_nchw, versions_nvchw = as_array(originals), as_array(versions)
    if (
        versions_nvchw.ndim != 5
        or len(versions_nvchw) != len(originals_nchw)
        or not versions_nvchw.size
    ):
        raise UserError(
            "versions must be (N, V, C, H, W) with as many N as originals and at least one V, got "
            f"{versions_nvchw.shape} for originals of {originals_nchw.shape}."
        )
    n, columns = len(originals_nchw), 1 + versions_nvchw.shape[1]
    tile_in = min(1.25, (WIDTH_IN - 0.4) / columns)
    figure = Figure(figsize=(tile_in * columns + 0.4, tile_in * n + 0.9), layout="constrained")
    figure.suptitle(title)
    grid = figure.subplots(n, columns, squeeze=False)
    low, high = originals_nchw.min(), originals_nchw.max()
    for row, original, changed in zip(grid, originals_nchw, versions_nvchw, strict=True):
        for axes, image in zip(row, (original, *changed), strict=True):
            axes.set_axis_off()
            _show(axes, (image - low) / ((high - low) or 1.0))
    grid[0, 0].set_title("original", fontsize=9)
    for version, axes in enumerate(grid[0, 1:], start=1):
        axes.set_title(f"version {version}", fontsize=9)
    return figure


def _show(axes: Axes, image_chw: Array) -> None:
    image = image_chw.clip(0, 1)
    if len(image) == 3:
        axes.imshow(image.transpose(1, 2, 0))
    else:
        axes.imshow(image.mean(axis=0), cmap="gray", vmin=0, vmax=1)
