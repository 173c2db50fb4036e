"""Differences between studies, sentence by sentence."""

from typing import Any

import pytest
from compared_studies import contest, study

from lightning_hpo.report.comparison.words import basis, headline, lead, noise_summary, pair_words
from lightning_hpo.results.samples import Row
from lightning_hpo.results.statistics import Difference


# Rule: a difference is told by its side, its size and whether it is noise.
@pytest.mark.parametrize(
    ("mean", "low", "high", "expected"),
    [
        (0.01, 0.005, 0.015, "a lies 0.01 above b: more than noise"),
        (-0.01, -0.025, 0.005, "a lies 0.01 below b: within noise"),
        (0.01, -float("inf"), float("inf"), "a lies 0.01 above b: cannot tell from noise"),
        (0.0, -0.1, 0.1, "a and b are equal"),
    ],
)
def test_a_difference_in_words(mean: float, low: float, high: float, expected: str) -> None:
    a, b = (Row((study(name, [1.0]),)) for name in "ab")
    assert pair_words(a, b, Difference(mean, low, high, "")) == expected


# Rule: several pairs are counted by their verdicts.
def test_several_differences_are_counted() -> None:
    rows = [
        Row((study("a", [1.0, 1.01, 1.02]),)),
        Row((study("b", [1.001, 1.012, 1.02]),)),
        Row((study("c", [2.0, 2.01, 2.02]),)),
    ]
    expected = "val/loss: of 3 differences 2 more than noise and 1 within noise."
    assert noise_summary(rows, "val/loss") == expected
    assert noise_summary(rows[:1], "val/loss") == "val/loss: fewer than two studies have values."


# Rule: the leader has the lowest mean of a loss, the highest of what is maximized.
def test_the_leader_depends_on_the_direction() -> None:
    rows = [Row((study("a", [1.0, 1.01, 1.02]),)), Row((study("b", [2.0, 2.01, 2.02]),))]
    assert lead(rows, "val/loss", minimize=True) == (
        "a has the lowest val/loss, 1.01; b follows with 2.01, more than noise."
    )
    assert lead(rows, "val/loss", minimize=False).startswith("b has the highest val/loss, 2.01;")


# Rule: the headline tells validation and test; without final jobs it says that nothing is known.
def test_the_headline_tells_validation_and_test() -> None:
    told = headline(contest(study("a", [1.0, 1.1], test=1.2), study("b", [1.0, 1.2], test=1.1)))
    assert "a has the lowest val/loss, 1.05; b follows with 1.1, a difference within noise." in told
    assert "b has the lowest test/loss, 1.1; a follows with 1.2, which cannot be told" in told
    assert headline(contest(study("a", []), study("b", []))).startswith("Too few final jobs")


# Rule: studies of other monitors or other data are named as such, and share no axes.
@pytest.mark.parametrize(
    "change",
    [
        {"monitor": "val/accuracy", "direction": "maximize"},
        {"data": {"name": "curve", "sha256": "c"}},
    ],
)
def test_different_goals_are_kept_apart(change: dict[str, Any]) -> None:
    found = contest(study("a", [1.0]), study("b", [1.0], **change))
    assert [[e.name for e in entries] for _, entries in found.by_goal()] == [["a"], ["b"]]
    assert headline(found).startswith(
        "Studies with different goals, whose values do not compare: minimize val/loss on digits"
    )


# Rule: a row says what its values are.
def test_a_row_says_what_its_values_are() -> None:
    refits = [{"seed": s, "test": {"test/loss": 1.0 + s}} for s in range(3)]
    row = Row((study("a", [1.0, 2.0], test=2.0, refits=refits),))
    assert [basis(row, m) for m in ("val/loss", "test/loss")] == ["2 folds", "3 refits"]
    assert basis(Row((study("a", [], test=1.0),)), "test/loss") == "one value"
    assert basis(Row((study("a", [1.0]), study("b", [1.0]))), "val/loss") == "2 seeds"
