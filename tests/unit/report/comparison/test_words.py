"""Differences between studies, sentence by sentence."""

from typing import Any

import pytest
from compared_studies import contest, study

from lightning_hpo.report.comparison.words import (
    basis,
    headline,
    lead,
    noise_summary,
    pair_words,
    reading_hints,
)
from lightning_hpo.results.samples import Row, differences
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
    assert noise_summary(differences(rows, "val/loss"), "val/loss") == expected
    assert noise_summary([], "val/loss") == "val/loss: fewer than two studies have values."


# Rule: the leader has the lowest mean of a loss, the highest of what is maximised.
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


# Rule: the leader is held against the second as all pairs are judged together, so that the headline
# and the table of pairs agree.
def test_the_lead_is_judged_with_all_pairs() -> None:
    two = [Row((study("a", [1.0, 1.01, 1.02]),)), Row((study("b", [1.05, 1.06, 1.07]),))]
    assert lead(two, "val/loss", minimize=True).endswith("1.06, more than noise.")
    more = [Row((study(name, [1.05, 1.06, 1.07]),)) for name in "cdef"]
    assert lead([*two, *more], "val/loss", minimize=True).endswith("a difference within noise.")


# Rule: it is said what an interval contains, and what it does not.
def test_hints_say_of_what_the_intervals_are() -> None:
    hints = reading_hints(contest(study("a", [1.0, 1.1]), study("b", [1.0, 1.2])))
    assert hints[0].endswith("contain the mean that they are of.")
    assert hints[1].startswith("Over folds: an interval is of the mean over other data")
    assert not any("Holm" in hint for hint in hints)
    several = reading_hints(contest(*(study(name, [1.0, 1.1]) for name in "abc")))
    assert any("in at most 5 of 100 comparisons" in hint for hint in several)


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
