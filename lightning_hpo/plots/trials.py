"""Several trials side by side: what their networks make of the same samples, a row for each.

Shapes: T trials, N samples, C channels, H x W pixels, K classes, G points of a grid of inputs.
"""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from lightning_hpo.errors import UserError
from lightning_hpo.plots.regression import (
    Line,
    Samples,
    draw_identity,
    draw_samples,
    draw_true_curve,
    limits_of,
)
from lightning_hpo.plots.style import (
    HEAT,
    STAGE_COLOURS,
    WIDTH_IN,
    Array,
    Values,
    as_array,
    legend_below,
    show_image,
)

_WRONG = STAGE_COLOURS["val"]
_MARGIN_IN = 1.45  # of the rows' labels
_BAR_IN = 0.85  # of the colour bar
_N_BARS = 3
_CHARACTERS_PER_IN = 11  # of a title
_BARS_PROPORTION = 0.75  # height to width


@dataclass(frozen=True)
class Predicted:
    """What the networks make of N samples with labels (N,): probabilities (T, N, K)."""

    probabilities: Values
    labels: Values
    classes: Sequence[str]

    def title(self, trial: int, sample: int) -> tuple[str, bool]:
        """The most probable class with its probability, and whether it is the true one."""
        shares_k = as_array(self.probabilities)[trial, sample]
        predicted = int(shares_k.argmax())
        right = predicted == int(as_array(self.labels)[sample])
        return f"{self.classes[predicted]}, {shares_k[predicted]:.0%}", right

    def names(self) -> list[str]:
        """The true class of each sample."""
        return [self.classes[int(label)] for label in as_array(self.labels)]


def trial_maps(
    images: Values,
    maps: Values,
    predicted: Predicted,
    rows: Sequence[str],
    *,
    title: str = "Grad-CAM of the same samples in several trials",
) -> Figure:
    """Images (N, C, H, W) in the first row; below, for each trial, with its maps (T, N, h, w).

    Each map is divided by its own largest value. ``rows``: what the trials are called.
    """
    images_nchw, maps_tnhw = as_array(images), as_array(maps)
    _require_rows(maps_tnhw, rows, len(images_nchw))
    figure, grid = _page(len(rows), len(images_nchw), title, beside_in=_BAR_IN)
    _first_row(grid[0], images_nchw, predicted)
    norm = Normalize(0, 1)
    for t, name in enumerate(rows):
        for n, axes in enumerate(grid[t + 1]):
            relative = maps_tnhw[t, n] / (maps_tnhw[t, n].max() or 1.0)
            show_image(axes, images_nchw[n])
            axes.imshow(
                relative,
                cmap=HEAT,
                norm=norm,
                extent=axes.images[0].get_extent(),
                alpha=0.8 * relative,
                interpolation="bilinear",
            )
            if not relative.any():
                axes.set_xlabel("no evidence", fontsize=8, labelpad=2)
            _say_prediction(axes, *predicted.title(t, n))
        _name_row(grid[t + 1], name)
    bar = figure.colorbar(ScalarMappable(norm, HEAT), ax=grid, shrink=0.7, aspect=30)
    bar.set_label("evidence for the class taken (1 = the image's strongest)", fontsize=9)
    figure.supxlabel("above each map: the class taken; orange: a wrong one", fontsize=9)
    return figure


def trial_probabilities(
    images: Values | None,
    predicted: Predicted,
    rows: Sequence[str],
    *,
    title: str = "The same samples in several trials: most probable classes",
) -> Figure:
    """For each trial (row) and sample (column) a bar for each of the most probable classes.

    images: (N, C, H, W), the first row; None: samples that are no images.
    """
    shares_tnk = as_array(predicted.probabilities)
    _require_rows(shares_tnk, rows, len(as_array(predicted.labels)))
    figure, grid = _page(
        len(rows), shares_tnk.shape[1], title, beside_in=0.1, proportion=_BARS_PROPORTION
    )
    if images is not None:
        _first_row(grid[0], as_array(images), predicted)
    else:
        for axes, name in zip(grid[0], predicted.names(), strict=True):
            axes.set_axis_off()
            axes.text(0.5, 0.1, _wrapped(name), ha="center", fontsize=9, transform=axes.transAxes)
    labels_n = as_array(predicted.labels).astype(int)
    for t, name in enumerate(rows):
        for n, axes in enumerate(grid[t + 1]):
            _probability_bars(axes, shares_tnk[t, n], int(labels_n[n]), predicted.classes)
        _name_row(grid[t + 1], name)
    figure.supxlabel("blue: the true class, orange: another", fontsize=9)
    return figure


def _probability_bars(axes: Axes, shares_k: Array, label: int, classes: Sequence[str]) -> None:
    """The most probable classes, largest on top, each named within its bar."""
    order = np.argsort(-shares_k, kind="stable")[:_N_BARS]
    colours = [STAGE_COLOURS["train"] if k == label else _WRONG for k in order]
    places = range(len(order))
    axes.barh(places, shares_k[order], color=colours, alpha=0.45, height=0.9)
    for place, k in zip(places, order, strict=True):
        name = textwrap.shorten(classes[k], 13, placeholder="…")
        axes.text(0.03, place, f"{name} {shares_k[k]:.0%}", va="center", fontsize=8)
    axes.set(xlim=(0, 1), ylim=(_N_BARS - 0.45, -0.55), xticks=[], yticks=[])
    axes.set_box_aspect(_BARS_PROPORTION)


def trial_curves(
    networks: Sequence[Line],
    rows: Sequence[str],
    *,
    train: Sequence[Samples],
    val: Sequence[Samples],
    true: Line | None = None,
    names: tuple[str, str] = ("input", "target"),
    title: str = "The fit of several trials",
) -> Figure:
    """One panel for each trial: its network's curve, its training and its validation samples.

    true: the curve without noise, where it is known. The panels share the samples' range, which a
    wild curve may leave.
    """
    figure, panels = _panels(len(rows), title)
    for axes, name, line, of_train, of_val in zip(panels, rows, networks, train, val, strict=True):
        if true is not None:
            draw_true_curve(axes, true)
        x, y = as_array(line.x), as_array(line.y)
        axes.plot(x, y, color="black", linewidth=1.6, label="network")
        draw_samples(axes, "train", of_train)
        draw_samples(axes, "val", of_val)
        axes.set_title(name, fontsize=10)
        axes.set_xlabel(names[0])
        axes.grid(alpha=0.3)
    panels[0].set_ylabel(names[1])
    drawn = np.concatenate([as_array(samples.y) for samples in [*train, *val]])
    margin = 0.15 * (np.ptp(drawn) or 1.0)
    panels[0].set_ylim(drawn.min() - margin, drawn.max() + margin)
    legend_below(figure, panels, columns=4)
    return figure


def trial_predictions(
    samples: Sequence[Samples],
    rows: Sequence[str],
    *,
    target_name: str = "target",
    title: str = "Predicted against true values in several trials, validation samples",
) -> Figure:
    """One panel for each trial; ``samples``: ``x`` the true values, ``y`` the predicted ones."""
    figure, panels = _panels(len(rows), title)
    limits = limits_of(*(values for s in samples for values in (s.x, s.y)))
    for axes, name, of_trial in zip(panels, rows, samples, strict=True):
        draw_identity(axes, limits, target_name=target_name)
        draw_samples(axes, "val", of_trial)
        axes.set_title(name, fontsize=10)
    panels[0].set_ylabel(f"predicted {target_name}")
    legend_below(figure, panels)
    return figure


def _panels(n: int, title: str) -> tuple[Figure, NDArray[Any]]:
    if n < 1:
        raise UserError("a figure of trials needs at least one, got none.")
    figure = Figure(figsize=(WIDTH_IN, 4.2), layout="constrained")
    figure.suptitle(title)
    return figure, figure.subplots(1, n, sharex=True, sharey=True, squeeze=False)[0]


def _page(
    n_rows: int, n: int, title: str, *, beside_in: float, proportion: float = 1.0
) -> tuple[Figure, NDArray[Any]]:
    """A grid with a first row for the samples; ``proportion``: height to width in the others."""
    tile_in = min(1.3, (WIDTH_IN - _MARGIN_IN - beside_in) / n)
    width_in = max(6.0, n * tile_in + _MARGIN_IN + beside_in)
    height_in = (1 + n_rows * proportion) * tile_in + (n_rows + 1) * 0.22 + 0.8
    size = (min(WIDTH_IN, width_in), height_in)
    figure = Figure(figsize=size, layout="compressed")
    figure.suptitle(textwrap.fill(title, int(size[0] * _CHARACTERS_PER_IN)))
    return figure, figure.subplots(n_rows + 1, n, squeeze=False)


def _first_row(row: NDArray[Any], images_nchw: Array, predicted: Predicted) -> None:
    for axes, image, name in zip(row, images_nchw, predicted.names(), strict=True):
        show_image(axes, image)
        axes.set(xticks=[], yticks=[])
        axes.set_title(_wrapped(name), fontsize=9)
    _name_row(row, "sample and\nits true class")


def _name_row(row: NDArray[Any], name: str) -> None:
    row[0].set_ylabel(name, rotation=0, ha="right", va="center", fontsize=9, labelpad=6)


def _say_prediction(axes: Axes, words: str, right: bool) -> None:
    axes.set(xticks=[], yticks=[])
    style: dict[str, Any] = {} if right else {"color": _WRONG, "fontweight": "bold"}
    axes.set_title(_wrapped(words), fontsize=8, pad=3, **style)


def _wrapped(words: str) -> str:
    return "\n".join(textwrap.wrap(words, 14, break_on_hyphens=False))


def _require_rows(values: Array, rows: Sequence[str], n: int) -> None:
    if not rows or values.shape[:2] != (len(rows), n):
        raise UserError(
            f"there must be values of {len(rows)} trials, at least one, for {n} samples, got shape"
            f" {values.shape}."
        )
