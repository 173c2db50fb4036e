"""Intervals and tests by hand, against SciPy's, and on data of known truth."""

from math import inf, sqrt

import numpy as np
import pytest
from scipy import stats
from study_folders import SMALL, T_2

from benchmarks.honesty import (
    World,
    called_different,
    contained,
    family_wise,
    folds_of,
    on_folds,
    share,
    unpaired,
)
from lightning_hpo.results.statistics import (
    Difference,
    as_share,
    interval,
    judged_together,
    paired,
    prediction,
    welch,
    wilson,
)


def test_an_interval_over_seeds_is_students() -> None:
    # Standard deviation 0.01, standard error 0.01 / sqrt(3).
    low, high = interval(SMALL, overlap=0)
    assert (low, high) == pytest.approx((0.91 - T_2 * 0.01 / sqrt(3), 0.91 + T_2 * 0.01 / sqrt(3)))


# Rule: a share lies in [0, 1], and so do the ends of its interval; per cent and losses do not.
@pytest.mark.parametrize(
    ("metric", "values", "expected"),
    [
        ("val/accuracy", [0.9, 0.95], (0.0, 1.0)),
        ("test/balanced_accuracy", [0.9, 0.95], (0.0, 1.0)),
        ("val/accuracy", [90.0, 95.0], (-0.5, 1.5)),
        ("val/loss", [0.9, 0.95], (-0.5, 1.5)),
    ],
)
def test_the_interval_of_a_share_ends_where_shares_do(metric, values, expected) -> None:
    assert as_share(metric, values, (-0.5, 1.5)) == expected
    assert as_share(metric, values, (-inf, inf)) == (-inf, inf)
    assert as_share(metric, values, (0.25, 0.75)) == (0.25, 0.75)


def test_an_interval_over_folds_is_wider_for_their_overlap() -> None:
    # 1/3 + 1/2 in place of 1/3.
    low, high = interval(SMALL, overlap=1 / 2)
    assert high - low == pytest.approx(2 * T_2 * 0.01 * sqrt(1 / 3 + 1 / 2))


def test_one_value_says_nothing_about_its_spread() -> None:
    assert interval([0.9], overlap=0) == (-inf, inf)


def test_pairing_sees_a_small_difference_that_all_folds_share() -> None:
    better = [value + shift for value, shift in zip(SMALL, (0.004, 0.005, 0.006), strict=True)]
    close = paired(better, SMALL, overlap=1 / 2)
    assert close.mean == pytest.approx(0.005)
    assert close.high - close.mean == pytest.approx(T_2 * 0.001 * sqrt(5 / 6))
    assert not close.within_noise
    assert welch(better, SMALL, overlap=(1 / 2, 1 / 2)).within_noise


def test_welch_is_scipys() -> None:
    a, b = [0.90, 0.91, 0.95, 0.92], [0.88, 0.90, 0.87]
    oracle = stats.ttest_ind(a, b, equal_var=False).confidence_interval(0.95)
    found = welch(a, b, overlap=(0, 0))
    assert (found.low, found.high) == pytest.approx((oracle.low, oracle.high))


# Rule: equal values, or equal differences, have no spread that a test could judge by.
def test_values_without_spread_cannot_be_told_from_noise() -> None:
    same, other = [0.9, 0.9, 0.9], [0.8, 0.8, 0.8]
    found = [
        welch(same, other, overlap=(0, 0)),
        paired(same, other, overlap=0),
        paired(SMALL, [0.89, 0.90, 0.91], overlap=1 / 2),
    ]
    assert [difference.low for difference in found] == [-inf] * 3
    assert found[0].method == "the values of each have no spread"
    assert found[1].method == "all 3 differences are equal"


# Rule: two cross-validations of three folds are corrected for overlap once: of each variance 1/3 is
# its own, and of 1/2 for overlap each has a half.
def test_the_correction_for_overlap_enters_once() -> None:
    a, b = SMALL, [0.80, 0.81, 0.82]
    found = welch(a, b, overlap=(1 / 2, 1 / 2))
    assert found.error == pytest.approx(0.01 * sqrt(2 * (1 / 3 + 1 / 4)))
    assert found.freedom == pytest.approx(4)
    # Against values that are independent, it is all of the folds'.
    against = welch(a, b, overlap=(1 / 2, 0))
    assert against.error == pytest.approx(0.01 * sqrt((1 / 3 + 1 / 2) + 1 / 3))


def test_p_is_scipys() -> None:
    a, b = [0.90, 0.91, 0.95, 0.92], [0.88, 0.90, 0.87]
    oracle = stats.ttest_ind(a, b, equal_var=False).pvalue
    assert welch(a, b, overlap=(0, 0)).p == pytest.approx(oracle)
    assert Difference(0.1, -inf, inf, "").p == 1.0


# Rule: one more value has a variance of its own, beside that of the mean.
def test_where_one_more_value_lies() -> None:
    half = T_2 * 0.01 * sqrt(1 + 1 / 3)
    assert prediction(SMALL) == pytest.approx((0.91 - half, 0.91 + half))
    assert prediction([0.9]) == (-inf, inf)


def with_p(p: float) -> Difference:
    """A difference with this p, by a t of many degrees of freedom."""
    error = 1 / float(stats.norm.isf(p / 2))
    return Difference(1.0, 1.0, 1.0, "", error, freedom=1e9).at(0.95)


# Rule (Holm): p of 0.01, 0.02, 0.03 and 0.04 are held against 0.05 / 4, / 3, and so on; what comes
# after the first that fails fails too.
@pytest.mark.parametrize(
    ("ps", "expected"),
    [
        ((0.04, 0.01, 0.03, 0.016), (False, True, False, True)),
        ((0.013, 0.014, 0.001), (True, True, True)),
        ((0.026, 0.03), (False, False)),
        ((0.04,), (True,)),
    ],
)
def test_several_are_judged_together(ps: tuple[float, ...], expected: tuple[bool, ...]) -> None:
    found = judged_together([with_p(p) for p in ps])
    assert tuple(not each.within_noise for each in found) == expected


def test_what_has_no_spread_is_not_judged_nor_counted() -> None:
    unknown = Difference(0.1, -inf, inf, "one value has no spread")
    assert judged_together([unknown, with_p(0.04)]) == [unknown, with_p(0.04)]
    assert judged_together([]) == []


# ---------------------------------------------------------------- on data of known truth

# Steady and unsteady fits: of 5 parameters by 48 samples, and of 20 by 48.
STEADY, UNSTEADY = World(n=60, features=5), World(n=60, features=20)
REPETITIONS = 4000  # a rate of 5 % has a standard error of 0.35 %


# Rule: equal models are called different in about 5 % of cases by their folds, whatever the split:
# less often where fits hardly depend on their samples.
@pytest.mark.parametrize(
    ("world", "lowest", "highest"), [(STEADY, 0.005, 0.05), (UNSTEADY, 0.02, 0.08)]
)
def test_equals_over_folds(world: World, lowest: float, highest: float) -> None:
    rng = np.random.default_rng(0)
    same = on_folds(*folds_of(rng, world, REPETITIONS // 2), world)
    other = unpaired(*folds_of(rng, world, REPETITIONS // 2, same=False), world)
    rates = called_different(same), called_different(other)
    assert lowest < min(rates) < max(rates) < highest, rates


# Rule: three in five times a clearly worse model is seen by folds of another split; with the
# correction for overlap on both sides, it would be seen far less often.
def test_a_clearly_worse_model_is_seen() -> None:
    world = World(n=200, features=5, worse=0.6)
    a, b = folds_of(np.random.default_rng(0), world, REPETITIONS // 4, same=False)
    found = unpaired(a, b, world)
    twice = [
        abs(each.mean) > each.error * sqrt(0.45 / 0.325) * stats.t.ppf(0.975, each.freedom)
        for each in found
    ]
    assert called_different(found) > 0.6
    assert called_different(found) > 1.3 * share(twice)


# Rule: of eight equal rows any two are called different in at most 5 % of comparisons.
def test_eight_equal_rows() -> None:
    alone, together = family_wise(np.random.default_rng(0).normal(size=(300, 8, 3)), 0)
    assert alone > 0.3
    assert together < 0.06


# Rule: 95 of 100 intervals contain the mean that they are of.
def test_intervals_contain_the_mean() -> None:
    rng = np.random.default_rng(0)
    reaches = [interval(list(three), overlap=0) for three in rng.normal(size=(REPETITIONS, 3))]
    assert share(low <= 0 <= high for low, high in reaches) == pytest.approx(0.95, abs=0.012)
    (found, _) = folds_of(rng, STEADY, REPETITIONS)
    assert contained(found, STEADY, float(found.mean())) > 0.95


# Rule: one more value lies in its interval in 95 of 100 cases.
@pytest.mark.parametrize("n", [3, 5, 8])
def test_intervals_contain_one_more_value(n: int) -> None:
    drawn = np.random.default_rng(0).normal(size=(REPETITIONS, n + 1))
    reaches = [(*prediction(list(row[1:])), row[0]) for row in drawn]
    inside = share(low <= one <= high for low, high, one in reaches)
    assert inside == pytest.approx(0.95, abs=0.012)


# By hand: (p + z²/2n ± z sqrt(p(1-p)/n + z²/4n²)) / (1 + z²/n) with z = 1.959964.
@pytest.mark.parametrize(
    ("right", "n", "low", "high"),
    [(0, 10, 0.0, 0.277533), (5, 10, 0.236593, 0.763407), (144, 144, 0.974018, 1.0)],
)
def test_the_interval_of_a_share_lies_between_0_and_1(
    right: int, n: int, low: float, high: float
) -> None:
    assert wilson(right, n) == pytest.approx((low, high), abs=1e-5)
