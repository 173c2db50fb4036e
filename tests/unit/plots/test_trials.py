"""Rules of the figures that show several trials side by side."""

import numpy as np
import pytest
from drawn import assert_nothing_is_clipped, lines, texts

from lightning_hpo.errors import UserError
from lightning_hpo.plots import trial_curves, trial_maps, trial_predictions, trial_probabilities
from lightning_hpo.plots.regression import Line, Samples
from lightning_hpo.plots.trials import Predicted

ROWS = [
    "best: trial 5\ncompleted, 5 epochs\nval/loss 0.31",
    "trial 9\npruned after 2 epochs\nval/loss 0.52",
]
CLASSES = ["T-shirt/top", "Ankle boot", "Coat"]
# Two trials, two samples of the classes 1 and 2; the second trial takes both for a coat.
VERDICTS = Predicted(
    [[[0.1, 0.8, 0.1], [0.0, 0.25, 0.75]], [[0.2, 0.2, 0.6], [0.05, 0.05, 0.9]]], [1, 2], CLASSES
)
IMAGES = np.random.default_rng(0).random((2, 1, 8, 8))


# Rule: a row for each trial below the samples; above each map the class taken, wrong ones marked.
def test_maps_say_what_each_trial_takes_a_sample_for() -> None:
    maps = np.random.default_rng(1).random((2, 2, 4, 4))
    maps[1, 1] = 0
    figure = trial_maps(IMAGES, maps, VERDICTS, ROWS)
    titles = [axes.get_title().replace("\n", " ") for axes in figure.axes[:6]]
    assert titles[:2] == ["Ankle boot", "Coat"]
    assert titles[2:] == ["Ankle boot, 80%", "Coat, 75%", "Coat, 60%", "Coat, 90%"]
    weights = [axes.title.get_fontweight() for axes in figure.axes[2:6]]
    assert weights == ["normal", "normal", "bold", "normal"]
    assert [figure.axes[2].get_ylabel(), figure.axes[4].get_ylabel()] == ROWS
    assert len(figure.axes[2].images) == 2  # the image below its map
    assert [axes.get_xlabel() for axes in figure.axes[2:6]] == ["", "", "", "no evidence"]
    assert_nothing_is_clipped(figure)


# Rule: without convolutions a bar for each of the most probable classes, the true one in blue.
@pytest.mark.parametrize("images", [IMAGES, None])
def test_bars_have_the_probabilities_of_the_classes(images) -> None:
    figure = trial_probabilities(images, VERDICTS, ROWS)
    wrong = figure.axes[4]  # second trial, first sample
    assert [bar.get_width() for bar in wrong.patches] == pytest.approx([0.6, 0.2, 0.2])
    assert texts(figure)[-6:-3] == ["Coat 60%", "T-shirt/top 20%", "Ankle boot 20%"]
    blue, orange = wrong.patches[2].get_facecolor(), wrong.patches[0].get_facecolor()
    assert blue[2] > blue[0] and orange[0] > orange[2]
    assert_nothing_is_clipped(figure)


# Rule: few samples make a narrow figure, whose title goes on in a second line.
def test_a_long_title_is_whole_above_few_samples() -> None:
    title = "The same samples: most probable classes in trials of the search, first of 3 folds"
    figure = trial_probabilities(None, VERDICTS, ROWS, title=title)
    assert figure._suptitle.get_text().split() == title.split()
    assert_nothing_is_clipped(figure)


# Rule: one panel for each trial with its own network and samples, on shared axes that the samples
# decide, however wild a network is.
def test_curves_of_trials_share_their_axes() -> None:
    train, val = Samples([0.0, 1.0], [0.0, 1.0]), Samples([0.5], [2.0])
    networks = [Line([0.0, 1.0], [0.0, 1.0]), Line([0.0, 1.0], [50.0, -50.0])]
    figure = trial_curves(networks, ROWS, train=[train] * 2, val=[val] * 2, names=("s", "m"))
    assert [axes.get_title() for axes in figure.axes] == ROWS
    assert lines(figure, 1)["network"] == ([0.0, 1.0], [50.0, -50.0])
    assert lines(figure, 1)["validation samples"] == ([0.5], [2.0])
    assert figure.axes[1].get_ylim() == pytest.approx((-0.3, 2.3))
    assert (figure.axes[0].get_ylabel(), figure.axes[1].get_xlabel()) == ("m", "s")
    assert_nothing_is_clipped(figure)


def test_predictions_of_trials_share_their_axes() -> None:
    samples = [Samples([0.0, 1.0], [0.0, 1.0]), Samples([0.0, 1.0], [2.0, 2.0])]
    figure = trial_predictions(samples, ROWS, target_name="m")
    assert figure.axes[0].get_xlim() == figure.axes[1].get_ylim() == pytest.approx((-0.12, 2.12))
    assert lines(figure, 1)["validation samples"] == ([0.0, 1.0], [2.0, 2.0])
    assert figure.axes[0].get_ylabel() == "predicted m"
    assert_nothing_is_clipped(figure)


def test_rows_without_values_are_refused() -> None:
    with pytest.raises(UserError, match="values of 1 trials, at least one, for 2 samples, got"):
        trial_maps(IMAGES, np.zeros((2, 2, 4, 4)), VERDICTS, ROWS[:1])
