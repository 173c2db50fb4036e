"""The reliability curve: means of each bin, nothing clipped."""

import numpy as np
import pytest
from drawn import assert_nothing_is_clipped, legend_labels

from lightning_hpo.plots import reliability


def test_each_bin_shows_its_accuracy_over_its_confidence() -> None:
    confidence, right = np.array([0.55, 0.65, 0.9]), np.array([1.0, 0.0, 1.0])
    bins = np.array([2, 2, 3])
    networks = {"as it is": (confidence, right, bins), "temperature 2": (confidence, right, bins)}
    figure = reliability(networks, n_bins=4, title="Reliability on 3 test samples")
    bars = figure.axes[0].containers[0]
    line, _, (reach,) = bars.lines
    assert line.get_xydata().tolist() == [[pytest.approx(0.6), 0.5], [0.9, 1.0]]
    # Wilson's interval of 1 of 2, and of 1 of 1: from 1 / (1 + 1.96²).
    ends = [segment[:, 1].tolist() for segment in reach.get_segments()]
    assert ends[0] == pytest.approx([0.0945, 0.9055], abs=1e-3)
    assert ends[1] == pytest.approx([0.2065, 1.0], abs=1e-3)
    heights = [bar.get_height() for bar in figure.axes[1].patches[:4]]
    assert heights == [0, 0, 2 / 3, 1 / 3]
    assert legend_labels(figure) == ["right as often as it says", "as it is", "temperature 2"]
    assert_nothing_is_clipped(figure)
