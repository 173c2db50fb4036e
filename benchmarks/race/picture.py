"""The picture of a race: best loss so far against wall time, median and range over seeds."""

import math
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from benchmarks.race.contenders import TITLES
from benchmarks.race.outcome import best_at
from benchmarks.race.tables import Runs

_COLOURS = {
    "ours": "#0b62a4",
    "optuna": "#c2571a",
    "informed": "#d9a441",
    "ray": "#2e8540",
    "hydra": "#7d4e9f",
}
_POINTS = 600
# Above it curves are of networks that have learnt next to nothing.
_TOP = 0.6


def draw(runs: Runs, path: Path) -> None:
    """A line for each contender as far as its longest run, a dot at the median end of its runs."""
    figure, axes = plt.subplots(figsize=(8, 4.2), dpi=100, layout="constrained")
    lowest = _TOP
    for contender, outcomes in runs.items():
        walls = [outcome.wall_s for outcome in outcomes]
        seconds = np.linspace(0, max(walls), _POINTS)
        curves = np.array([[best_at(o, second) for second in seconds] for o in outcomes])
        middle, colour = np.median(curves, axis=0), _COLOURS[contender]
        high = np.minimum(curves.max(axis=0), 10 * _TOP)
        axes.fill_between(seconds, curves.min(axis=0), high, color=colour, alpha=0.15, lw=0)
        axes.plot(seconds, middle, color=colour, lw=2, label=TITLES[contender])
        end = float(np.median(walls))
        axes.plot(end, np.interp(end, seconds, middle), "o", color=colour, ms=6)
        lowest = min(lowest, float(curves.min()))
    if lowest < _TOP:
        axes.set_ylim(math.floor(lowest * 50) / 50, _TOP)
    axes.set_xlim(left=0)
    axes.set_xlabel("seconds since the command was started")
    axes.set_ylabel("best validation loss so far")
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, facecolor="white")
    plt.close(figure)
