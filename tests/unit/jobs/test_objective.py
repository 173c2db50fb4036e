"""What the fits of a trial amount to: means over folds, by literal fits."""

import pytest

from lightning_hpo.errors import UserError
from lightning_hpo.jobs import objective
from lightning_hpo.protocol.messages import FitResult


def fit(value: float, **metrics: float) -> FitResult:
    return FitResult(value, 1, 2, {"val/loss": value, **metrics}, 1.0)


def test_the_objective_is_the_mean_of_the_folds_best_values() -> None:
    fits = [fit(0.25), fit(0.5), fit(0.75)]
    result = objective.of(fits)
    assert (result.value, result.further, result.fits) == (0.5, (), tuple(fits))
    assert result.stopped_after_fold is None


def test_further_objectives_are_means_in_the_order_they_are_named() -> None:
    fits = [fit(0.25, n_parameters=10.0, seconds=1.0), fit(0.5, n_parameters=10.0, seconds=2.0)]
    result = objective.of(fits, further=["seconds", "n_parameters"])
    assert list(result) == [0.375, 1.5, 10.0]


def test_a_metric_that_was_not_logged_is_named_with_what_there_is() -> None:
    with pytest.raises(UserError) as refused:
        objective.of([fit(0.25, seconds=1.0)], further=["second"])
    assert str(refused.value) == (
        "study.objectives names 'second'; available: ['seconds', 'val/loss']."
        " Did you mean 'seconds'?"
    )


def test_what_was_logged_is_accepted() -> None:
    objective.require_logged(["a"], ["b", "a"])
    objective.require_logged([], [])
    with pytest.raises(UserError, match=r"names 'zebra'; available: \['a', 'b'\]\.$"):
        objective.require_logged(["a", "zebra"], ["b", "a"])
