"""What the report says of a network's confidence: its errors, judged by the test loss alone."""

from typing import Any

import pytest

from lightning_hpo.report.study import confidence


def said(**change: float) -> str:
    found: dict[str, Any] = {"temperature": 1.75}
    found["ece"] = {"held_out": {"n": 1437, "before": 0.08, "after": 0.02}}
    if change:
        found["ece"]["test"] = {"n": 360, "before": 0.09, "after": 0.03}
        found["test_loss"] = {"change": -0.06} | change
    (words,) = confidence.words({"calibration": found})  # type: ignore[typeddict-item]
    return words


# Rule: what the temperature is worth is said of the test loss, by its interval alone.
@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (-0.08, -0.04, "get better by it: their cross-entropy there falls (95 % interval of the"),
        (-0.08, 0.01, "these samples do not tell (95 % interval of the change -0.08 to 0.01)."),
        (0.01, 0.02, "get worse by it: their cross-entropy there rises (95 %"),
    ],
)
def test_the_interval_judges(low: float, high: float, verdict: str) -> None:
    words = said(low=low, high=high)
    assert "on the 360 test samples, which had no part in that, 0.09 and 0.03. " in words
    assert verdict in words


def test_without_a_test_the_numbers_stand_alone() -> None:
    assert said() == (
        "With the temperature 1.75, by which its logits are to be divided, the network's confidence"
        " fits the 1,437 held-out samples of the folds best: there the expected calibration error"
        " is 0.08 without it and 0.02 with it."
    )


def test_why_there_is_no_temperature() -> None:
    why = {"temperature": None, "why": "fold_0 kept no logits: there are 2 loaders"}
    assert confidence.words({"calibration": why}) == [  # type: ignore[typeddict-item]
        "The network's confidence was not calibrated: fold_0 kept no logits: there are 2 loaders."
    ]
    assert confidence.words({"calibration": None}) == confidence.words({}) == []  # type: ignore[typeddict-item]
