"""Intervals and tests by hand, and against SciPy's."""

from math import inf, sqrt

import pytest
from scipy import stats
from study_folders import SMALL, T_2

from lightning_hpo.results.statistics import interval, paired, welch


def test_an_interval_over_seeds_is_students() -> None:
    # Standard deviation 0.01, standard error 0.01 / sqrt(3).
    low, high = interval(SMALL, folds=False)
    assert (low, high) == pytest.approx((0.91 - T_2 * 0.01 / sqrt(3), 0.91 + T_2 * 0.01 / sqrt(3)))


def test_an_interval_over_folds_is_wider_for_their_overlap() -> None:
    # 1/3 + 1/2 in place of 1/3.
    low, high = interval(SMALL, folds=True)
    assert high - low == pytest.approx(2 * T_2 * 0.01 * sqrt(1 / 3 + 1 / 2))


def test_one_value_says_nothing_about_its_spread() -> None:
    assert interval([0.9], folds=False) == (-inf, inf)


def test_pairing_sees_a_small_difference_that_all_folds_share() -> None:
    better = [value + shift for value, shift in zip(SMALL, (0.004, 0.005, 0.006), strict=True)]
    close = paired(better, SMALL, folds=True)
    assert close.mean == pytest.approx(0.005)
    assert close.high - close.mean == pytest.approx(T_2 * 0.001 * sqrt(5 / 6))
    assert not close.within_noise
    assert welch(better, SMALL, folds=(True, True)).within_noise


def test_welch_is_scipys() -> None:
    a, b = [0.90, 0.91, 0.95, 0.92], [0.88, 0.90, 0.87]
    oracle = stats.ttest_ind(a, b, equal_var=False).confidence_interval(0.95)
    found = welch(a, b, folds=(False, False))
    assert (found.low, found.high) == pytest.approx((oracle.low, oracle.high))


# Rule: equal values, or equal differences, have no spread that a test could judge by.
def test_values_without_spread_cannot_be_told_from_noise() -> None:
    same, other = [0.9, 0.9, 0.9], [0.8, 0.8, 0.8]
    found = [
        welch(same, other, folds=(False, False)),
        paired(same, other, folds=False),
        paired(SMALL, [0.89, 0.90, 0.91], folds=True),
    ]
    assert [difference.low for difference in found] == [-inf] * 3
    assert found[0].method == "the values of each have no spread"
    assert found[1].method == "all 3 differences are equal"
