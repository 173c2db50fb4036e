"""The look that all study figures share, and how a figure becomes a picture of the page.

Figures are drawn at a size that stays readable when a phone shrinks them, in the colours of
Okabe and Ito (https://jfly.uni-koeln.de/color/), which colour-blind readers can tell apart; every
state has its own shape as well. Texts stay texts, so names are never parsed as mathematics.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter
from optuna.trial import TrialState

from lightning_hpo.report.html.markup import Mark, Picture

WIDE_IN, SLICE_IN = 5.0, 3.6

INK, GREY = "#24292f", "#6e7781"
BLUE, ORANGE, VERMILLION, GREEN = "#0072B2", "#E69F00", "#D55E00", "#009E73"
MAX_BYTES = 350_000  # a larger SVG is stored as PNG instead
_LARGEST_DRAWN = 1e100

STYLE: dict[Any, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": GREY,
    "axes.grid": True,
    "axes.labelcolor": INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.formatter.useoffset": False,
    "figure.dpi": 72,
    "font.size": 10,
    "grid.color": "#d8dee4",
    "grid.linewidth": 0.6,
    "hatch.linewidth": 0.6,
    "legend.fontsize": 9,
    "legend.frameon": False,
    "legend.columnspacing": 1.2,
    "legend.handletextpad": 0.4,
    "legend.handlelength": 1.6,
    "svg.fonttype": "none",
    "svg.hashsalt": "lightning_hpo",
    "text.color": INK,
    "text.parse_math": False,
    "xtick.color": INK,
    "ytick.color": INK,
}


@dataclass(frozen=True)
class Look:
    """How a trial's state is drawn: a word for the legend, a colour, a marker, a hatch."""

    word: str
    colour: str
    marker: str
    hatch: str


LOOKS = {
    TrialState.COMPLETE: Look("completed", BLUE, "o", ""),
    TrialState.PRUNED: Look("pruned", ORANGE, "^", "////"),
    TrialState.FAIL: Look("failed", VERMILLION, "X", "xxxx"),
    TrialState.RUNNING: Look("running", GREY, "s", "...."),
}


@dataclass(frozen=True)
class Spot:
    """A hover label at data coordinates."""

    x: float
    y: float
    label: str


@contextmanager
def drawing(width_in: float, height_in: float) -> Iterator[tuple[Figure, Axes]]:
    """A figure with one pair of axes in the common style."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(width_in, height_in), layout="constrained")
        figure.patch.set_alpha(0.0)
        axes = figure.add_subplot()
        axes.patch.set_alpha(0.0)
        yield figure, axes


def to_picture(
    figure: Figure, axes: Axes, *, alt: str, caption: str = "", spots: Sequence[Spot] = ()
) -> Picture:
    """The figure as SVG, or as PNG where the SVG would be large, with its hover marks."""
    svg = _bytes_of(figure, "svg")
    width, height = figure.bbox.width, figure.bbox.height
    marks = []
    for spot in spots:  # after drawing, which settles the constrained layout
        x, y = axes.transData.transform((spot.x, spot.y)) / (width, height)
        if 0 <= x <= 1 and 0 <= y <= 1:
            marks.append(Mark(float(x), float(1 - y), spot.label))
    small = len(svg) <= MAX_BYTES
    return Picture(
        svg if small else _bytes_of(figure, "png"),
        "svg+xml" if small else "png",
        round(width * 96 / 72),
        round(height * 96 / 72),
        alt,
        caption,
        tuple(marks),
    )


def _bytes_of(figure: Figure, kind: str) -> bytes:
    buffer = BytesIO()
    with mpl.rc_context(STYLE):
        if kind == "svg":
            FigureCanvasSVG(figure)
            figure.savefig(buffer, format="svg", metadata={"Date": None})
        else:
            FigureCanvasAgg(figure)
            figure.savefig(buffer, format="png", dpi=150)
    return buffer.getvalue()


def legend_above(figure: Figure, axes: Axes) -> None:
    """Every labelled artist of the axes, in a row over the figure."""
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="outside upper left", ncols=len(labels))


def drawable(value: float) -> float:
    """The value, or the nearest one that can be drawn.

    The axes reckon with its squares and with ratios of it to others.
    """
    if abs(value) < 1 / _LARGEST_DRAWN:
        return 0.0
    return math.copysign(min(abs(value), _LARGEST_DRAWN), value)


@dataclass(frozen=True)
class Frame:
    """The values that an axis shows; ``bad`` is the end at which the poor values lie."""

    low: float
    high: float
    log: bool = False
    bad: float = 0.0

    def clip(self, value: float | None) -> float:
        """Where a value is drawn: at the edge if it is beyond, at the bad end if there is none."""
        if value is None or np.isnan(value):
            return self.bad
        return min(max(value, self.low), self.high)

    def note(self, values: Iterable[float | None]) -> str:
        """A sentence for the caption where values lie outside the frame."""
        beyond = sum(v is not None and (v < self.low or v > self.high) for v in values)
        if beyond == 0:
            return ""
        return (
            " One value lies beyond the frame, at its edge."
            if beyond == 1
            else f" {beyond} values lie beyond the frame, at its edge."
        )


def frame_values(values: Iterable[float], *, minimize: bool, margin: float = 0.06) -> Frame:
    """The frame that shows the good end of the values well, with a margin at the bad end.

    Logarithmic where the values are positive and the ninth decile is over 20 times the best;
    cut off where the worst value is far beyond the ninth decile, as those of diverged trials and of
    first epochs are. The margin is a fraction of the range shown.
    """
    finite = np.sort(np.asarray([drawable(v) for v in values if np.isfinite(v)], dtype=float))
    if finite.size == 0:
        return Frame(0.0, 1.0, bad=1.0 if minimize else 0.0)
    log = bool(minimize and finite[0] > 0 and np.quantile(finite, 0.9) > 20 * finite[0])
    scaled = np.log(finite) if log else finite
    best, worst = (scaled[0], scaled[-1]) if minimize else (scaled[-1], scaled[0])
    core = float(np.quantile(scaled, 0.9 if minimize else 0.1))
    if abs(worst - best) > 2.5 * abs(core - best) > 0:
        worst = core + 0.5 * (core - best)
    length = float(worst - best)
    if abs(length) < 1e-12 * abs(float(best)) or not length:
        length = (0.1 * abs(float(best)) or 0.1) * (1 if minimize else -1)
    good, bad = float(best) - 0.06 * length, float(best) + (1 + margin) * length
    if log:
        good, bad = float(np.exp(good)), float(np.exp(bad))
    return Frame(min(good, bad), max(good, bad), log, bad)


def apply_frame(axes: Axes, frame: Frame) -> None:
    if frame.log:
        axes.set_yscale("log")
        label_log_axis(axes.yaxis, frame.low, frame.high)
    axes.set_ylim(frame.low, frame.high)


def label_log_axis(axis: Axis, low: float, high: float) -> None:
    """Plain numbers on a logarithmic axis from ``low`` to ``high``, about five of them."""
    if high / low < 5:
        axis.set_major_locator(MaxNLocator(5))
    else:
        subs = (1.0, 2.0, 5.0) if high / low < 100 else (1.0,)
        axis.set_major_locator(LogLocator(subs=subs, numticks=6))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())
