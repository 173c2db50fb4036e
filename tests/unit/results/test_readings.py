"""What is read out of a record, on literal trials."""

import random

import pytest
from literal_trials import record, trial
from report_study import some_trial

from lightning_hpo.results import readings


# Rule: a report stands for the epochs since the one before; the last step may be shorter.
@pytest.mark.parametrize(
    ("steps", "epochs"),
    [([], 0), ([0, 1, 2], 3), ([49], 50), ([49, 99, 149], 150), ([49, 99, 119], 120)],
)
def test_reports_stand_for_epochs(steps: list[int], epochs: int) -> None:
    reported = trial(steps=0)
    reported.intermediate_values = dict.fromkeys(steps, 1.0)
    assert readings.epochs_reported(reported) == epochs


def test_conditional_parameters_are_those_that_only_some_trials_have() -> None:
    rng = random.Random(0)
    trials = [some_trial(number, rng) for number in range(20)]
    momentum = sum(t.params["optimizer"] == "SGD" for t in trials)
    assert readings.conditional_parameters(record(trials)) == {"optimizer.momentum": momentum}


# Rule: of five folds each validates on a fourth of what it trains on, however often they repeat.
@pytest.mark.parametrize(
    ("folds", "repeats", "expected"), [(5, 1, 1 / 4), (20, 4, 1 / 4), (5, None, 1 / 4), (1, 1, 0)]
)
def test_the_overlap_of_folds(folds: int, repeats: int | None, expected: float) -> None:
    assert readings.overlap_of({"folds": [{}] * folds, "repeats": repeats}) == expected
