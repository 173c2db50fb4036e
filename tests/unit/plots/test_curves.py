"""Rules of learning curves: what is averaged, marked and labelled, and on which axis."""

import numpy as np
import pytest
from drawn import assert_nothing_is_clipped, legend_labels, lines, texts
from matplotlib.collections import PolyCollection

from lightning_hpo.errors import UserError
from lightning_hpo.plots import learning_curves
from lightning_hpo.plots.curves import smoothed

CURVES = {
    "train/loss": [[0.8, 0.4, 0.2], [0.6, 0.2, 0.0]],
    "val/loss": [[0.9, 0.5, 0.7], [0.7, 0.3, 0.5]],
}


def test_learning_curves_show_mean_and_band_over_folds() -> None:
    figure = learning_curves(CURVES)
    x, y = lines(figure)["train, mean of 2 folds"]
    assert x == [1, 2, 3]
    assert y == pytest.approx([0.7, 0.3, 0.1])
    band = next(c for c in figure.axes[0].collections if isinstance(c, PolyCollection))
    heights = band.get_paths()[0].vertices[:, 1]
    assert (heights.min(), heights.max()) == pytest.approx((0.0, 0.8))
    assert "train, smallest to largest" in legend_labels(figure)
    assert (figure.axes[0].get_xlabel(), figure.axes[0].get_ylabel()) == ("epochs trained", "loss")
    assert_nothing_is_clipped(figure)


def test_the_band_may_be_one_standard_deviation() -> None:
    figure = learning_curves({"val/loss": CURVES["val/loss"]}, band="std")
    heights = figure.axes[0].collections[0].get_paths()[0].vertices[:, 1]
    # At epoch 2 the folds are 0.5 and 0.3: mean 0.4, standard deviation 0.1414 (n - 1).
    assert heights.min() == pytest.approx(0.4 - 0.1414, abs=1e-4)
    assert "val, ± 1 standard deviation" in legend_labels(figure)


# A mean over the folds that are left would jump with every fold that ends.
def test_folds_of_unequal_length_have_a_line_each_and_a_mean_as_far_as_all_reach() -> None:
    figure = learning_curves({"val/loss": [[3.0, 2.0, 1.0, 5.0], [1.0, 2.0]]})
    drawn = lines(figure)
    assert drawn["val, mean of 2 folds"] == ([1, 2], [2.0, 2.0])
    assert drawn["val, each fold"] == ([1, 2, 3, 4], [3.0, 2.0, 1.0, 5.0])
    assert ([1, 2], [1.0, 2.0]) in drawn.values()
    assert not figure.axes[0].collections  # no band
    assert drawn["fold stopped"] == ([4, 2], [5.0, 2.0])
    assert "fold stopped" not in lines(learning_curves(CURVES))


def test_best_epochs_are_counted_from_zero_and_shown_from_one() -> None:
    figure = learning_curves(CURVES, best_epochs=[1, 2])
    assert lines(figure)["best epoch of each fold"] == ([2, 3], [0.5, 0.5])


def test_epochs_without_a_value_are_bridged() -> None:
    nan = float("nan")
    figure = learning_curves({"val/loss": [[nan, 0.5, nan, 0.3]]})
    assert lines(figure)["val"] == ([2, 4], [0.5, 0.3])


def test_each_metric_has_a_panel_and_the_refit_a_line() -> None:
    curves = CURVES | {"train/accuracy": [[0.5, 0.6], [0.6, 0.7]]}
    figure = learning_curves(curves, refit={"train/loss": [0.7, 0.1]}, title="Winner")
    assert [axes.get_ylabel() for axes in figure.axes] == ["loss", "accuracy"]
    assert lines(figure)["train, refit on all training data"] == ([1, 2], [0.7, 0.1])
    assert len(legend_labels(figure)) == len(set(legend_labels(figure)))
    assert figure.get_suptitle() == "Winner"
    assert_nothing_is_clipped(figure)


def test_a_baseline_may_have_a_refit_alone() -> None:
    figure = learning_curves({}, refit={"train/loss": [0.7, 0.1]})
    assert list(lines(figure)) == ["train, refit on all training data"]


def test_wrong_curves_are_named() -> None:
    with pytest.raises(UserError, match="stage/metric, as in val/loss, got 'loss'"):
        learning_curves({"loss": [[1.0]]})
    with pytest.raises(UserError, match="at least one series, got none"):
        learning_curves({})


def test_a_loss_that_spans_decades_has_a_logarithmic_axis() -> None:
    figure = learning_curves({"val/loss": [[30.0, 2.0, 1.0]], "val/accuracy": [[0.01, 0.5, 0.9]]})
    assert [axes.get_yscale() for axes in figure.axes] == ["log", "linear"]
    assert figure.axes[0].get_ylabel() == "loss (logarithmic)"
    assert learning_curves({"val/loss": [[3.0, 0.5, 0.0]]}).axes[0].get_yscale() == "linear"
    assert_nothing_is_clipped(figure)


def test_a_loss_that_begins_very_high_leaves_the_page_and_says_so() -> None:
    figure = learning_curves({"val/loss": [[1234.0] + [1.0] * 198 + [0.5]]})
    assert figure.axes[0].get_ylim()[1] == 5  # the usual values reach 1
    assert texts(figure) == ["the first epochs lie above, up to 1,234"]
    assert texts(learning_curves({"val/loss": [[9.0] + [1.0] * 198 + [0.5]]})) == []


def test_the_noise_floor_and_the_end_of_the_final_fit_are_labelled_lines() -> None:
    curves = CURVES | {"val/accuracy": [[0.5, 0.6], [0.6, 0.7]]}
    figure = learning_curves(curves, noise_floor=0.22, stop_epochs=1500)
    assert lines(figure)["noise variance of the data, 0.22"][1] == [0.22, 0.22]
    assert lines(figure)["the final fit ended here, 1,500 epochs"][0] == [1500, 1500]
    # A variance is no accuracy.
    assert "noise variance of the data, 0.22" not in lines(figure, panel=1)


def test_eight_folds_of_two_thousand_epochs_fit_the_page() -> None:
    decay = 5 * np.exp(-np.arange(2000) / 100)
    folds = [list(decay[: 1000 + 125 * k] + 0.2 + 0.01 * k) for k in range(1, 9)]
    figure = learning_curves({"train/loss": folds, "val/loss": folds}, best_epochs=[900] * 8)
    assert len(legend_labels(figure)) == 6  # two means, two lines of folds, two marks
    assert_nothing_is_clipped(figure)


def test_long_curves_are_running_means() -> None:
    noisy = np.resize([1.0, 3.0], 400)
    means = smoothed(noisy, 400)
    # Four epochs either way: of nine values four or five are 3. None before the start or the end.
    assert means[200:202].tolist() == [pytest.approx(17 / 9), pytest.approx(19 / 9)]
    assert (means[0], means[-1]) == (1.0, pytest.approx(11 / 5))
    figure = learning_curves({"val/loss": [list(noisy)]})
    np.testing.assert_array_equal(lines(figure)["val"][1], means)
    assert figure.axes[0].get_xlabel() == "epochs trained, as running means"


# Else a fold that stopped early would look noisier than the others.
def test_the_longest_curve_decides_how_all_are_smoothed() -> None:
    noisy = np.resize([1.0, 3.0], 100)
    np.testing.assert_array_equal(smoothed(noisy, 299), noisy)
    figure = learning_curves({"val/loss": [list(noisy), [2.0] * 400]})
    np.testing.assert_array_equal(lines(figure)["val, each fold"][1], smoothed(noisy, 400))
