"""Rules of a regression's figures: the lines and samples that they show, and what they say."""

import numpy as np
import pytest
from drawn import assert_nothing_is_clipped, legend_labels, lines
from matplotlib.collections import PolyCollection

from lightning_hpo.errors import UserError
from lightning_hpo.plots import fitted_curve, predicted_against_true, residuals
from lightning_hpo.plots.regression import Line, Samples

GRID = [0.0, 1.0, 2.0]
NETWORK = Line(GRID, [0.0, 1.0, 4.0])
TRAIN, TEST = Samples([0.5, 1.5], [0.25, 2.0]), Samples([1.0], [5.0])


def test_training_and_test_samples_have_a_panel_each_with_the_same_curve() -> None:
    figure = fitted_curve(NETWORK, train=TRAIN, test=TEST, names=("time in s", "height in m"))
    for panel, name, x in ((0, "training samples", [0.5, 1.5]), (1, "test samples", [1.0])):
        drawn = lines(figure, panel)
        assert drawn["final network"] == (GRID, [0.0, 1.0, 4.0])
        assert drawn[name][0] == x
        assert figure.axes[panel].get_xlabel() == "time in s"
    assert figure.axes[0].get_ylabel() == "height in m"
    assert figure.axes[0].get_ylim()[1] > 5  # the highest sample is on the page
    assert_nothing_is_clipped(figure)


def test_what_is_not_known_is_not_drawn() -> None:
    figure = fitted_curve(NETWORK, train=TRAIN, test=TEST)
    assert set(legend_labels(figure)) == {"final network", "training samples", "test samples"}


def test_the_band_reaches_from_the_smallest_to_the_largest_fold() -> None:
    folds = Line(GRID, [[0.0, 2.0, 4.0], [1.0, 1.0, 9.0]])
    true, holdout = Line(GRID, [0.0, 1.0, 2.0]), Line(GRID, [0.0, 0.0, 1.0])
    figure = fitted_curve(NETWORK, train=TRAIN, test=TEST, true=true, folds=folds, holdout=holdout)
    (band,) = (c for c in figure.axes[0].collections if isinstance(c, PolyCollection))
    at_end = {y for x, y in band.get_paths()[0].vertices if x == 2.0}
    assert at_end == {4.0, 9.0}
    assert "networks of the 2 folds, smallest to largest" in legend_labels(figure)
    assert lines(figure)["true curve, no noise"] == (GRID, [0.0, 1.0, 2.0])
    assert lines(figure)["trained on a part, no early stopping"] == (GRID, [0.0, 0.0, 1.0])
    assert figure.axes[0].get_ylim()[1] < 9  # a wild fold does not press the samples together
    assert_nothing_is_clipped(figure)


def test_predicted_against_true_says_error_and_explained_variance() -> None:
    train = Samples([1.0, 3.0], [1.0, 2.0])  # squared errors 0 and 1, variance 1
    figure = predicted_against_true(
        train=train, test=Samples([2.0], [2.5]), target_name="height in m"
    )
    assert figure.axes[0].get_title() == "2 training samples\nmean squared error 0.5, R² 0.500"
    # One sample has no variance to explain.
    assert figure.axes[1].get_title() == "1 test samples\nmean squared error 0.25"
    x, y = lines(figure)["predicted = true"]
    assert x == y
    assert figure.axes[0].get_xlim() == figure.axes[0].get_ylim() == tuple(x)
    assert figure.axes[0].get_xlabel() == "true height in m"
    assert figure.axes[0].get_ylabel() == "predicted height in m"
    assert_nothing_is_clipped(figure)


def test_predictions_must_match_their_targets() -> None:
    with pytest.raises(UserError, match=r"equally many and at least one, got shapes \(3,\) and"):
        predicted_against_true(train=Samples(np.zeros(3), np.zeros(2)), test=TEST)


# Rule: a residual is predicted minus true, over the prediction.
def test_residuals_say_their_mean_and_spread() -> None:
    train = Samples([1.0, 3.0], [2.0, 6.0])
    figure = residuals(train=train, test=Samples([2.0], [1.0]), target_name="height in m")
    assert lines(figure, 0)["training samples"] == ([2.0, 6.0], [1.0, 3.0])
    assert lines(figure, 1)["test samples"] == ([1.0], [-1.0])
    assert figure.axes[0].get_title() == "2 training samples\nmean 2, standard deviation 1"
    assert figure.axes[0].get_xlabel() == "predicted height in m"
    assert set(legend_labels(figure)) == {"training samples", "test samples", "predicted = true"}
    assert_nothing_is_clipped(figure)
