"""Rules of the sentences about noise: the ratio tells how far, the folds whether it counts."""

from statistics import fmean, stdev
from typing import Any

import numpy as np
import pytest
from report_study import regression_results, results_of

from benchmarks.honesty import noise_alone, share
from lightning_hpo.report.study.noise import floor_words, holdout_words


def with_folds(*losses: float) -> dict[str, Any]:
    """Results of a study of curves with a noise variance of 0.2 and these losses of the folds."""
    results = regression_results("curve")
    folds = [{"fold": fold, "val/loss": loss} for fold, loss in enumerate(losses)]
    summary = {"val/loss_mean": fmean(losses), "val/loss_std": stdev(losses)}
    return results | {"cv": {"n_splits": len(losses), "folds": folds, **summary}, "test": None}


# Rule: above or below is a judgement only beyond the interval of the folds' mean.
@pytest.mark.parametrize(
    ("losses", "words"),
    [
        (
            (0.21, 0.216, 0.222),
            "0.216 lies 8 % above the noise variance 0.2 of the data, a difference within the "
            "noise of 3 folds.",
        ),
        (
            (0.259, 0.26, 0.261),
            "0.26 lies 30 % above the noise variance 0.2 of the data, more than the folds' spread "
            "explains: a better model can exist.",
        ),
        (
            (0.1, 0.2, 0.3),
            "0.2 equals the noise variance 0.2 of the data, a difference within the noise of 3 "
            "folds.",
        ),
        (
            (0.179, 0.18, 0.181),
            "0.18 lies 10 % below the noise variance 0.2 of the data, more than the folds' spread "
            "explains: no model's error is that low in expectation, so these folds flatter the "
            "model.",
        ),
        (
            (0.3, 0.55, 0.8),
            "0.55 is 2.8 times the noise variance 0.2 of the data, a difference within the noise "
            "of 3 folds.",
        ),
    ],
)
def test_the_k_fold_error_is_compared_with_the_noise(losses: tuple[float, ...], words: str) -> None:
    assert floor_words(with_folds(*losses)) == [f"The k-fold error {words}"]


# Rule: a perfect model is said to lie above or below the noise in at most 2.5 % of cases each; one
# with three times its error is seen.
def test_how_often_noise_is_taken_for_a_models_error() -> None:
    found = noise_alone(np.random.default_rng(0), 1500, samples=12, n_folds=8)

    def rate(scale: float, words: str) -> float:
        said = (floor_words(with_folds(*map(float, scale * losses)))[0] for losses in found)
        return share(words in sentence for sentence in said)

    assert rate(0.2, "a better model can exist") < 0.03
    assert rate(0.2, "flatter the model") < 0.03
    assert rate(0.6, "a better model can exist") > 0.6


# Rule: how far the test samples' own noise lies from its variance is not known: numbers alone.
def test_the_test_error_is_compared_too() -> None:
    assert floor_words(regression_results("curve"))[1] == (
        "The test error 0.55 is 2.8 times the noise variance 0.2 of the data."
    )


# A noise variance is a squared error, and can be compared with nothing else.
def test_nothing_is_compared_without_a_noise_variance_or_a_loss() -> None:
    assert floor_words(results_of("cnn", [], final=True)) == []
    assert floor_words(regression_results("curve") | {"monitor": "val/mae"}) == []
    assert floor_words(regression_results("curve") | {"data": None}) == []


def test_the_fit_without_early_stopping_is_told_with_its_end_and_its_best_epoch() -> None:
    assert holdout_words(regression_results("curve")) == [
        "Without early stopping, trained on 90 % of the training data for all 2000 epochs, the "
        "best parameters end at train/loss = 0.125, val/loss = 0.5. The best epoch was number 431 "
        "with val/loss = 0.25."
    ]
    assert holdout_words(results_of("cnn", [], final=True)) == []


# Rule: the fit without early stopping says whether the samples that judge it chose the winner.
@pytest.mark.parametrize(
    ("new", "words"),
    [
        (True, "2000 epochs and validated on the rest, a split of its own, the best parameters"),
        (False, "2000 epochs and validated on the samples by which the search chose, the best"),
    ],
)
def test_the_fit_without_early_stopping_says_what_judged_it(words: str, *, new: bool) -> None:
    results = regression_results("curve")
    results["holdout"]["new_split"] = new
    assert words in holdout_words(results)[0]


def test_a_fit_that_ends_at_its_best_epoch_may_have_been_too_short() -> None:
    results = regression_results("curve")
    results["holdout"]["best_epoch"] = 1999
    assert holdout_words(results)[0].endswith(
        "The last epoch was the best: longer training may help."
    )
