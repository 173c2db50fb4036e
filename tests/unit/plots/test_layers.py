"""Rules of the figures of layers: the order of neurons, dead ones, bins that are shared."""

from itertools import combinations

import numpy as np
import pytest
import torch
from drawn import assert_nothing_is_clipped

from lightning_hpo.errors import UserError
from lightning_hpo.plots import hidden_activations, weight_histograms

X = [0.0, 1.0, 2.0]


def test_neurons_are_sorted_by_where_they_peak_and_dead_ones_come_last() -> None:
    # Columns: peaks at the end, dead, peaks at the start, peaks in the middle.
    activations_gl = [[0.0, 0.0, 4.0, 0.0], [1.0, 0.0, 1.0, 1.0], [2.0, 0.0, 0.0, 0.0]]
    figure = hidden_activations(
        X, activations_gl, predicted=X, names=("time in s", "height in m"), title="ReLU"
    )
    top, heat = figure.axes[:2]
    rows = heat.images[0].get_array().tolist()
    assert rows == [[4.0, 1.0, 0.0], [0.0, 1.0, 0.0], [0.0, 1.0, 2.0], [0.0, 0.0, 0.0]]
    assert figure.get_suptitle() == "ReLU: 4 neurons, 1 dead (the same for every input)"
    assert [list(line.get_ydata()) for line in heat.lines] == [[3.5, 3.5]]
    assert (heat.get_xlabel(), top.get_ylabel()) == ("time in s", "predicted height in m")
    assert_nothing_is_clipped(figure)


def test_activations_of_either_sign_have_a_symmetric_scale() -> None:
    figure = hidden_activations(X, [[-1.0, 0.1], [0.0, 0.2], [0.5, 0.3]])
    (image,) = figure.axes[0].images
    assert image.get_clim() == (-1, 1)
    assert figure.get_suptitle() == "Last hidden layer: 2 neurons, none dead"
    assert_nothing_is_clipped(figure)


def test_a_network_of_dead_neurons_is_drawn() -> None:
    figure = hidden_activations(X, np.zeros((3, 128)))
    assert "128 dead" in figure.get_suptitle()
    assert_nothing_is_clipped(figure)


def test_activations_must_match_their_inputs() -> None:
    with pytest.raises(UserError, match=r"shape \(3, neurons\), got shape \(2, 5\)"):
        hidden_activations(X, np.zeros((2, 5)))


def test_weights_before_and_after_share_their_bins() -> None:
    before = {"hidden": torch.tensor([[0.0, 1.0]]), "out": torch.rand(40, 40)}
    after = {"hidden": torch.tensor([[0.0, 3.0]]), "out": torch.rand(40, 40) * 3}
    figure = weight_histograms(before, after)
    trained, untrained = (patch.get_data() for patch in figure.axes[0].patches)
    np.testing.assert_array_equal(trained.edges, untrained.edges)
    assert (trained.edges[0], trained.edges[-1]) == (0.0, 3.0)
    assert trained.values.tolist()[::11] == [50.0, 50.0]  # shares in %
    assert figure.axes[0].get_title() == "hidden (1 x 2)\nstd 0.5 before, 1.5 after"
    # Of many weights few move far: their share needs a logarithmic axis.
    assert [axes.get_yscale() for axes in figure.axes] == ["linear", "log"]
    assert figure.axes[1].get_ylabel() == "share in % (logarithmic)"
    assert_nothing_is_clipped(figure)


@pytest.mark.parametrize("n_layers", [1, 3, 4, 12])
def test_layers_fill_rows_of_three(n_layers: int) -> None:
    weights = {f"layer {i}": torch.randn(8, 4) for i in range(n_layers)}
    figure = weight_histograms(weights, weights)
    assert len(figure.axes) == n_layers
    assert_nothing_is_clipped(figure)


# Rule: the titles of a deep network's layers, of long names and shapes, overlap nowhere.
@pytest.mark.parametrize("n_layers", [12, 13, 24])
def test_long_titles_of_many_layers_do_not_overlap(n_layers: int) -> None:
    names = [f"network.layer{i}.0.downsample.0" for i in range(n_layers - 1)] + ["x" * 60]
    weights = {name: torch.randn(128, 64, 3, 3) for name in names}
    figure = weight_histograms(weights, weights)
    assert len(figure.axes) == n_layers
    figure.canvas.draw()
    boxes = [axes.title.get_window_extent() for axes in figure.axes]
    assert not [(a, b) for a, b in combinations(boxes, 2) if a.overlaps(b)]
    # A name that does not fit keeps its end.
    name = figure.axes[2].get_title().splitlines()[0]
    assert name.endswith("layer2.0.downsample.0")
    assert_nothing_is_clipped(figure)


def test_weights_must_belong_to_the_same_layers() -> None:
    with pytest.raises(UserError, match=r"same layers and at least one, got \['a'\] and \['b'\]"):
        weight_histograms({"a": torch.rand(2, 2)}, {"b": torch.rand(2, 2)})
