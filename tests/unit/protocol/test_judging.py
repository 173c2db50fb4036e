"""At which epoch folds are judged, and how long a refit trains, by curves made by hand."""

from typing import Any

import pytest

from lightning_hpo.protocol.judging import (
    FoldCurve,
    judged,
    judged_epochs,
    metrics_at,
    refit_epochs,
    rule_of,
)


def curve(*values: float, epochs: list[int] | None = None) -> FoldCurve:
    return FoldCurve(epochs or list(range(len(values))), values)


def by_others(*curves: FoldCurve, mode: str = "min", repeats: tuple[int, ...] = ()) -> list[int]:
    return judged_epochs(curves, "others", mode=mode, repeats=repeats)


# Rule: a fold's own luck, here 0 in epoch 1, chooses nothing for it, but does for the others.
def test_a_fold_is_judged_where_the_mean_of_the_others_is_best() -> None:
    lucky = curve(8, 0, 8, 8)
    assert by_others(lucky, curve(8, 7, 6, 5), curve(8, 7, 4, 7)) == [2, 1, 1]
    # 8, 7, 5, 6 of the others; lucky with (8, 7, 4, 7): 8, 3.5, 6, 7.5.


def test_by_a_maximum_the_highest_mean_chooses() -> None:
    curves = curve(1, 9, 1), curve(1, 2, 4), curve(1, 2, 3)
    assert by_others(*curves, mode="max") == [2, 1, 1]
    assert refit_epochs(curves, mode="max") == 2


# Rule: a later epoch must be strictly better.
@pytest.mark.parametrize("mode", ["min", "max"])
def test_the_first_of_equal_epochs_chooses(mode: str) -> None:
    level = curve(5, 5, 5)
    assert by_others(level, level, level, mode=mode) == [0, 0, 0]
    # The means are equal whatever the order of the sum.
    tenths = [curve(0.1, 0.3), curve(0.2, 0.2), curve(0.3, 0.1)]
    assert refit_epochs(tenths, mode=mode) == 1


def test_of_two_folds_each_judges_the_other() -> None:
    assert by_others(curve(3, 1, 2, 4), curve(3, 3, 2, 1)) == [3, 1]


# Rule: a fold that stopped counts with its last value, and is judged no later than it trained.
def test_a_fold_that_stopped_early_counts_with_its_last_value() -> None:
    stopped, long, other = curve(4, 1), curve(8, 8, 2, 4), curve(8, 8, 8, 4)
    # stopped and other: 6, 4.5, 4.5, 2.5; stopped and long: 6, 4.5, 1.5, 2.5.
    assert by_others(stopped, long, other) == [1, 3, 2]
    # 20/3, 17/3, 11/3, 3.
    assert refit_epochs([stopped, long, other], mode="min") == 4
    # Counted with nothing, the fold that stopped would leave 2 and 4: epoch 2.
    assert refit_epochs([stopped, long], mode="min") == 3
    assert refit_epochs([curve(4, 5), curve(1, 0, 9)], mode="min") == 1


# Rule: only epochs that were validated can be chosen, and a fold is judged at one of its own.
def test_epochs_without_a_validation_are_no_choice() -> None:
    every_second = [curve(4, 2, 3, epochs=[1, 3, 5]), curve(4, 3, 1, epochs=[1, 3, 5])]
    assert by_others(*every_second) == [5, 3]
    # 4, 2.5, 2.
    assert refit_epochs(every_second, mode="min") == 6
    odd = curve(9, 9, epochs=[0, 2])
    assert by_others(odd, every_second[0]) == [2, 1]


# Rule: folds of another repeat validate on the same samples, so they choose nothing.
def test_the_other_folds_are_those_of_the_same_repeat() -> None:
    curves = curve(2, 1, 3), curve(2, 3, 1), curve(0, 9, 9), curve(0, 9, 9)
    assert by_others(*curves, repeats=(0, 0, 1, 1)) == [2, 1, 0, 0]
    assert by_others(*curves) == [0, 0, 0, 0]


# Rule: there is no honest epoch without other folds; the last one has at least chosen nothing.
def test_a_fold_alone_is_judged_at_its_last_epoch() -> None:
    assert by_others(curve(3, 1, 2)) == [2]


def test_where_nothing_chooses_the_epoch_is_known_before() -> None:
    curves = curve(1, 2, 3), curve(1, 2), curve(1, 2, epochs=[1, 3])
    assert judged_epochs(curves, "last", mode="min") == [2, 1, 3]
    assert judged_epochs(curves, "fixed", mode="min", final_epochs=3) == [2, 1, 1]
    assert judged_epochs(curves, "fixed", mode="min", final_epochs=1) == [0, 0, 1]
    assert judged_epochs(curves, "own", mode="max") == [2, 1, 3]


def fold(k: int, *losses: float, **changes: Any) -> dict[str, Any]:
    """A fold's result; its accuracy is 1 - loss."""
    best = losses.index(min(losses))
    found = {"fold": k, "mode": "min", "judged_at": "others", "epochs": len(losses)}
    found |= {"best_epoch": best, "metrics": {"val/loss": min(losses), "train/loss": 0.0}}
    accuracies = [1 - loss for loss in losses]
    epochs = list(range(len(losses)))
    found |= {"curve": {"epoch": epochs, "val/loss": list(losses), "val/acc": accuracies}}
    return found | changes


def test_a_folds_metrics_are_those_of_the_epoch_at_which_it_is_judged() -> None:
    found = judged([fold(0, 0.5, 0.25, 0.75), fold(1, 0.5, 0.75, 0.25)], "val/loss")
    assert (found.rule, found.epochs) == ("others", [2, 1])
    assert found.metrics == [{"val/loss": 0.75, "val/acc": 0.25}] * 2


@pytest.mark.parametrize(
    ("rule", "epochs"), [("others", [1, 0]), ("last", [1, 1]), ("fixed", [0, 0])]
)
def test_the_rule_is_the_one_of_the_results(rule: str, epochs: list[int]) -> None:
    asked = {"judged_at": rule, "final_epochs": 1}
    folds = [fold(0, 0.25, 0.5, **asked), fold(1, 0.5, 0.25, **asked)]
    found = judged(folds, "val/loss")
    assert (found.rule, found.epochs) == (rule, epochs)


# Rule: results of an older study have no curve and keep what they say; so do all beside them.
def test_folds_without_a_curve_keep_what_they_say() -> None:
    new = fold(0, 0.5, 0.25, 0.75)
    old = {k: v for k, v in fold(1, 0.75, 0.5, 0.25).items() if k not in ("curve", "judged_at")}
    for folds in ([old, old], [new, old]):
        found = judged(folds, "val/loss")
        assert (found.rule, found.epochs[-1]) == ("own", 2)
        assert found.metrics[-1] == {"val/loss": 0.25, "train/loss": 0.0}
    at_end = old | {"at_last_epoch": True}
    found = judged([at_end, fold(0, 0.5, 0.25, judged_at="last")], "val/loss")
    assert (found.rule, found.epochs) == ("last", [2, 1])


@pytest.mark.parametrize(
    ("found", "rule"),
    [
        ({}, "own"),
        ({"at_last_epoch": False}, "own"),
        ({"at_last_epoch": True}, "last"),
        ({"judged_at": "others"}, "others"),
        ({"judged_at": "by hand"}, "own"),
    ],
)
def test_the_rule_of_older_results_is_known(found: dict[str, Any], rule: str) -> None:
    assert rule_of(found) == rule


def test_a_metric_that_was_not_logged_then_is_not_there() -> None:
    logged = {"epoch": [0, 2], "val/loss": [0.5, 0.25], "val/now_and_then": [0.5, float("nan")]}
    assert metrics_at(logged, 2) == {"val/loss": 0.25}
