"""How often a classifier is right at each confidence, as it is and with a temperature."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from lightning_hpo.plots.style import (
    STAGE_COLOURS,
    WIDTH_IN,
    Array,
    Values,
    as_array,
    legend_below,
)

_STYLES = ((STAGE_COLOURS["val"], "o"), (STAGE_COLOURS["train"], "s"))


def reliability(
    networks: Mapping[str, tuple[Values, Values, Values]], *, n_bins: int, title: str
) -> Figure:
    """The share of right answers over the confidence, and how many samples have which confidence.

    A point is a bin, its bar the 95 % interval of the share.

    ``networks``: by their names, at most two, of each the samples' confidence (N,), whether they
    are right (N,), and their bins (N,), of ``n_bins`` of equal width in [0, 1].
    """
    figure = Figure(figsize=(WIDTH_IN, 4.2), layout="constrained")
    figure.suptitle(title)
    curve, histogram = figure.subplots(1, 2, width_ratios=(3, 2))
    curve.plot([0, 1], [0, 1], color="0.5", linestyle="--", label="right as often as it says")
    centres = (np.arange(n_bins) + 0.5) / n_bins
    width = 1 / n_bins / len(networks)
    for place, (name, arrays) in enumerate(networks.items()):
        colour, marker = _STYLES[place]
        confidence_n, right_n, bins_n = map(as_array, arrays)
        counts, *sums = (
            np.bincount(bins_n.astype(int), weights=values, minlength=n_bins).astype(np.float64)
            for values in (np.ones(len(bins_n)), confidence_n, right_n)
        )
        x, y = (of[counts > 0] / counts[counts > 0] for of in sums)
        reach = np.abs(_interval(y, counts[counts > 0]) - y)
        curve.errorbar(
            x, y, reach, color=colour, marker=marker, linestyle="none", elinewidth=1, label=name
        )
        shift = (place - (len(networks) - 1) / 2) * width
        histogram.bar(centres + shift, counts / counts.sum(), width, color=colour)
    curve.set(xlabel="confidence", ylabel="share of right answers", xlim=(0, 1.02), ylim=(0, 1.02))
    histogram.set(xlabel="confidence", ylabel="share of the samples", xlim=(0, 1), yscale="log")
    _in_percent(curve, histogram)
    legend_below(figure, [curve])
    return figure


def _interval(share: Array, n: Array) -> Array:
    """Ends (2, B) of the 95 % interval of a share of n samples, as Wilson found it."""
    z = 1.96
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return np.stack((centre - half, centre + half))


def _in_percent(*panels: Axes) -> None:
    for axes in panels:
        axes.xaxis.set_major_formatter(PercentFormatter(1))
        axes.yaxis.set_major_formatter(PercentFormatter(1))
