"""What the fits of a trial amount to: means over folds, by literal fits."""

import pytest

from lightning_hpo.errors import UserError
from lightning_hpo.fitting.plan import TrialPlan
from lightning_hpo.jobs import objective
from lightning_hpo.protocol.messages import FitResult


def fit(value: float, *, last: dict[str, float] | None = None, **metrics: float) -> FitResult:
    return FitResult(value, 1, 2, {"val/loss": value, **metrics}, 1.0, last=last or {})


def plan(*objectives: str, scheduled: bool = False) -> TrialPlan:
    return TrialPlan(
        n_folds=2,
        epochs=2,
        stacked=False,
        steps_are_folds=False,
        scheduled=scheduled,
        monitor="val/loss",
        objectives=objectives,
    )


def test_the_objective_is_the_mean_of_the_folds_best_values() -> None:
    fits = [fit(0.25), fit(0.5), fit(0.75, last={"val/loss": 9.0})]
    result = objective.of(fits, plan())
    assert (result.value, result.further, result.fits) == (0.5, (), tuple(fits))
    assert result.stopped_after_fold is None


def test_further_objectives_are_means_in_the_order_they_are_named() -> None:
    fits = [fit(0.25, n_parameters=10.0, seconds=1.0), fit(0.5, n_parameters=10.0, seconds=2.0)]
    result = objective.of(fits, plan("seconds", "n_parameters"))
    assert list(result) == [0.375, 1.5, 10.0]


# Rule: under a schedule the last epoch counts, for all objectives that are logged; a fit's own
# best value stays what it is.
def test_under_a_schedule_the_last_epoch_counts() -> None:
    fits = [
        fit(0.25, acc=0.9, seconds=1.0, last={"val/loss": 0.5, "acc": 0.5}),
        fit(0.5, acc=0.8, seconds=3.0, last={"val/loss": 1.0, "acc": 0.25}),
    ]
    result = objective.of(fits, plan("acc", "seconds", scheduled=True), stopped_after_fold=1)
    assert list(result) == [0.75, 0.375, 2.0]
    assert [each.value for each in result.fits] == [0.25, 0.5]
    assert result.stopped_after_fold == 1


def test_a_fit_that_does_not_tell_its_end_counts_with_its_best() -> None:
    assert objective.value_of(fit(0.25), plan(scheduled=True)) == 0.25


def test_a_metric_that_was_not_logged_is_named_with_what_there_is() -> None:
    with pytest.raises(UserError) as refused:
        objective.of([fit(0.25, seconds=1.0)], plan("second"))
    assert str(refused.value) == (
        "study.objectives must name metrics that a fit logs, got 'second'; available:"
        " ['seconds', 'val/loss']."
        " Did you mean 'seconds'?"
    )


def test_what_was_logged_is_accepted() -> None:
    objective.require_logged(["a"], ["b", "a"])
    objective.require_logged([], [])
    with pytest.raises(UserError, match=r"got 'zebra'; available: \['a', 'b'\]\.$"):
        objective.require_logged(["a", "zebra"], ["b", "a"])
