"""How sure the best trial is, sentence by sentence, on literal trials and folds."""

from typing import Any

import pytest
from literal_trials import record, values

from lightning_hpo.report.study import sureness


def folds(mean: float, std: float) -> dict[str, Any]:
    fold = {"fold": 0, "val/loss": mean}
    return {"n_splits": 5, "folds": [fold], "val/loss_mean": mean, "val/loss_std": std}


def test_lead_within_the_folds_spread_is_no_clear_win() -> None:
    # 0.50 leads by 0.01; 0.51 and 0.54 lie within 0.05 of it, 0.60 does not.
    said = sureness.sureness(record(values(0.60, 0.54, 0.50, 0.51), cv=folds(0.52, 0.05)))[0]
    assert "leads the second by 0.01;" in said
    assert "standard deviation of 0.05, 5 times as much" in said
    assert "2 other trials lie within one standard deviation" in said


@pytest.mark.parametrize(
    ("std", "expected"), [(0.04, "a clear one"), (0.08, "a likely winner, not a certain one")]
)
def test_lead_beyond_the_folds_spread_is_a_win(std: float, expected: str) -> None:
    said = sureness.sureness(record(values(0.6, 0.5), cv=folds(0.5, std)))[0]
    assert expected in said


def test_best_value_far_better_than_the_folds_is_called_flattering() -> None:
    both = values(0.2, 0.5)
    assert "flatters the winner" in sureness.sureness(record(both, cv=folds(0.3, 0.05)))[1]
    assert "the folds confirm" in sureness.sureness(record(both, cv=folds(0.22, 0.05)))[1]
    # When maximizing, the folds' lower mean is the worse one.
    maximized = record(both, cv=folds(0.3, 0.05), direction="maximize")
    assert "flatters the winner" in sureness.sureness(maximized)[1]


@pytest.mark.parametrize(
    ("tested", "direction", "expected"),
    [
        (0.31, "minimize", "as expected"),
        (0.36, "minimize", "worse than the folds suggest, by 3.0"),
        (0.36, "maximize", "better than the folds suggest, by 3.0"),
    ],
)
def test_test_result_is_held_against_the_folds(
    tested: float, direction: str, expected: str
) -> None:
    study = record(
        values(0.3), cv=folds(0.3, 0.02), test={"test/loss": tested}, direction=direction
    )
    assert expected in sureness.sureness(study)[-1]


def test_without_cross_validation_nothing_is_claimed() -> None:
    assert sureness.sureness(record(values(1.0), cv=None)) == [
        "The winner was not cross-validated, so nothing is known about how much its value depends "
        "on the split of the data."
    ]
