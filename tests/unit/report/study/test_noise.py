"""Rules of the sentences about noise: the ratio to the floor decides the words."""

from typing import Any

import pytest
from report_study import regression_results, results_of

from lightning_hpo.report.study.noise import floor_words, holdout_words


def with_error(error: float) -> dict[str, Any]:
    results = regression_results("curve")
    return results | {"cv": results["cv"] | {"val/loss_mean": error}, "test": None}


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (0.216, "0.216 lies 8 % above the noise variance 0.2 of the data, below which"),
        (0.2, "0.2 equals the noise variance 0.2 of the data: no better"),
        (0.18, "0.18 lies 10 % below the noise variance 0.2 of the data: by chance"),
        (0.55, "0.55 is 2.8 times the noise variance 0.2 of the data: most of it"),
    ],
)
def test_the_k_fold_error_is_compared_with_the_noise(error: float, words: str) -> None:
    (sentence,) = floor_words(with_error(error))
    assert sentence.startswith(f"The k-fold error {words}")


def test_the_test_error_is_compared_too() -> None:
    assert floor_words(regression_results("curve"))[1].startswith("The test error 0.55 is 2.8 time")


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


def test_a_fit_that_ends_at_its_best_epoch_may_have_been_too_short() -> None:
    results = regression_results("curve")
    results["holdout"]["best_epoch"] = 1999
    assert holdout_words(results)[0].endswith(
        "The last epoch was the best: longer training may help."
    )
