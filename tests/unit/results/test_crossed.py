"""Losses of several trainings on the same samples: by hand, against SciPy's, and on known truth."""

from math import inf, sqrt

import numpy as np
import pytest
from scipy import stats
from study_folders import T_2

from benchmarks.honest_tests import Classification, Regression
from benchmarks.honest_worlds import World, samples_of_folds
from benchmarks.honesty import by_samples, called_different, on_folds
from lightning_hpo.results.crossed import (
    crossed,
    crossed_pairs,
    mcnemar,
    over_folds,
    risk_interval,
    single_networks,
)
from lightning_hpo.results.statistics import welch

# Means of trainings 1, 2, 3; of samples 1, 2, 3; nothing that both add together.
ADDED = np.array([[0.0, 1, 2], [1, 2, 3], [2, 3, 4]])
NOUGHT = np.zeros((3, 3))


# Rule: the variance of the mean is 1/3 for the trainings and 1/3 for the samples.
def test_both_variances_are_in_a_difference() -> None:
    found = crossed(ADDED, NOUGHT)
    assert (found.mean, found.error) == (2.0, pytest.approx(sqrt(2 / 3)))
    # Satterthwaite: (2/3)² / ((1/3)²/2 + (1/3)²/2).
    assert found.freedom == pytest.approx(4)
    assert found.method == "3 and 3 trainings on 3 samples (crossed)"


# Rule: what a training and a sample add together is in both variances, and counts once: here of
# two trainings, whose means differ by 2, and of two samples, whose means differ by 0.
def test_what_both_add_counts_once() -> None:
    losses = np.array([[1.0, 3], [5, 3]])
    # Trainings: means 2 and 4, variance 2; together: residuals ±1, mean square 4 / 1; 2 - 4/2 = 0.
    assert crossed(losses, NOUGHT[:2, :2]).low == -inf
    losses = np.array([[1.0, 3], [9, 7]])
    # Means 2 and 8, variance 18, less 4 / 2: 16 / 2 trainings.
    assert crossed(losses, NOUGHT[:2, :2]).error == pytest.approx(sqrt(16 / 2))


def test_an_interval_weighs_the_quantiles_of_both_variances() -> None:
    low, high = risk_interval(ADDED + 0.5)
    assert (low, high) == pytest.approx((2.5 - T_2 * sqrt(2 / 3), 2.5 + T_2 * sqrt(2 / 3)))


# Rule: of one training the interval is that of its own losses.
def test_the_interval_of_one_network_is_students() -> None:
    losses = np.array([[0.3, 0.1, 0.7, 0.2]])
    error = losses.std(ddof=1) / 2
    half = stats.t.ppf(0.975, 3) * error
    mean = losses.mean()
    assert risk_interval(losses) == pytest.approx((mean - half, mean + half))


# Rule: of right and wrong answers the interval has a width where none is wrong (plus four).
def test_no_mistake_in_few_samples_is_no_certainty() -> None:
    low, high = risk_interval(np.ones((3, 50)))
    assert low < 0.96 < 52 / 54 < high
    assert risk_interval(np.full((3, 50), 0.25)) == (-inf, inf)


def test_pairs_have_the_variance_of_their_differences() -> None:
    found = crossed_pairs(ADDED, ADDED.T * 0.5, what="equal seeds")
    again = crossed(ADDED - ADDED.T * 0.5, NOUGHT)
    assert (found.mean, found.error) == pytest.approx((again.mean, again.error))
    assert found.method == "paired over 3 equal seeds on 3 samples (crossed)"


# Rule: two networks that differ on no sample cannot be told apart, nor called equal.
def test_without_a_difference_nothing_is_judged() -> None:
    for found in (crossed(ADDED, ADDED), mcnemar(np.ones(5), np.ones(5))):
        assert found.mean == 0
    assert mcnemar(np.ones(5), np.ones(5)).low == -inf
    assert crossed(NOUGHT, NOUGHT).low == -inf


def answers(only_a: int, only_b: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    a, b = np.ones(n), np.ones(n)
    b[:only_a], a[only_a : only_a + only_b] = 0, 0
    return a, b


# Rule: 2 P(X < k) + P(X = k) of the smaller number k, as X is binomial with half the chance each:
# for 1 against 9, 2 · 1/1024 + 10/1024.
@pytest.mark.parametrize(("only_a", "only_b", "p"), [(9, 1, 12 / 1024), (1, 9, 12 / 1024)])
def test_mcnemars_mid_p(only_a: int, only_b: int, p: float) -> None:
    found = mcnemar(*answers(only_a, only_b, 40))
    assert found.p == pytest.approx(p)
    assert found.mean == (only_a - only_b) / 40
    assert not found.within_noise
    assert found.at(1 - p).low == pytest.approx(0, abs=1e-9) or found.at(1 - p).high == (
        pytest.approx(0, abs=1e-9)
    )
    assert found.method == f"McNemar's mid-p test, {only_a} against {only_b} of 40 samples"


# Rule: with many, mid-p is the normal test of the difference.
def test_many_mistakes_are_judged_as_by_the_normal_test() -> None:
    z = (1100 - 1000) / sqrt(2100)
    assert mcnemar(*answers(1100, 1000, 10000)).p == pytest.approx(2 * stats.norm.sf(z), rel=0.01)
    even = mcnemar(*answers(50, 50, 1000))
    assert (even.p, even.error) == (1.0, pytest.approx(sqrt(100) / 1000))


def test_other_losses_of_two_networks_are_scipys_paired_test() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 30))
    oracle = stats.ttest_rel(a, b)
    assert single_networks(a, b).p == pytest.approx(oracle.pvalue)
    assert single_networks(*answers(9, 1, 40)).p == pytest.approx(12 / 1024)


# ---------------------------------------------------------------- on data of known truth

REPETITIONS = 500  # a rate of 5 % has a standard error of 1 %


# Rule: rows of equal risk are called different in 3 to 7 of 100 cases, and intervals contain the
# risk in 93 to 97; by the refits alone it was up to half of them.
@pytest.mark.parametrize("world", [Regression(apart=0.1), Regression(apart=0.6), Classification()])
@pytest.mark.parametrize("trainings", [3, 5])
def test_a_test_set_of_200(world: Regression | Classification, trainings: int) -> None:
    rng = np.random.default_rng(0)
    pairs = [world.pair(rng, trainings, 200) for _ in range(REPETITIONS)]
    wrong = np.mean([not crossed(a, b).within_noise for a, b in pairs])
    reaches = [risk_interval(a) for a, _ in pairs]
    inside = np.mean([low <= world.risk <= high for low, high in reaches])
    assert 0.02 < wrong < 0.07
    assert 0.92 < inside < 0.985


def test_refits_alone_are_no_measure_of_other_samples() -> None:
    rng, none = np.random.default_rng(0), (0.0, 0.0)
    pairs = [Regression(apart=0.1).pair(rng, 5, 200) for _ in range(REPETITIONS)]
    wrong = [
        not welch(list(a.mean(1)), list(b.mean(1)), overlap=none).within_noise for a, b in pairs
    ]
    assert np.mean(wrong) > 0.4


# ---------------------------------------------------------------- over folds

# Means of two folds 1 and 3, of their samples' variances 2 each.
VALUES, FOLDS = np.array([0.0, 2, 2, 4]), np.array([0, 0, 1, 1])


# Rule: the samples' variance, 8/3 of 4, and what folds differ by beyond their samples, 2/2 less
# 2/4; both grow by the factor 1 + 2 · 1 of two folds that each train on the other.
def test_folds_and_their_samples_are_in_a_difference() -> None:
    found = over_folds(VALUES, np.zeros(4), FOLDS, FOLDS, overlap=1)
    of_samples, of_trainings = 8 / 3 / 4, 2 / 2 - 2 / 4
    assert (found.mean, found.error) == (2, pytest.approx(sqrt(3 * (of_samples + of_trainings))))
    weights = of_samples**2 / 3 + of_trainings**2 / 1
    assert found.freedom == pytest.approx((of_samples + of_trainings) ** 2 / weights)
    assert found.method == "4 samples of 2 identical folds (corrected t, Nadeau and Bengio 2003)"


# Rule: where folds differ by no more than their samples explain, these judge alone.
def test_folds_that_differ_by_their_samples_alone_add_nothing() -> None:
    even = np.array([0, 1, 1, 0])
    found = over_folds(VALUES, np.zeros(4), even, even, overlap=1)
    assert (found.error, found.freedom) == (pytest.approx(sqrt(3 * 8 / 3 / 4)), 3)


# Rule: of other folds each row's trainings count, on samples that are paired all the same.
def test_other_folds_are_paired_by_their_samples() -> None:
    shared = np.array([5.0, 1, 7, 3])
    found = over_folds(VALUES + shared, shared, FOLDS, np.array([0, 1, 0, 1]), overlap=1)
    assert found.mean == 2
    # Fold means 4 and 8, and 6 and 2: both of variance 8, with samples of variance 2 in each.
    of_trainings = 8 / 2 - 2 / 4
    assert found.error == pytest.approx(sqrt(3 * (8 / 3 / 4 + 2 * of_trainings)))
    assert found.method.startswith("4 samples of 2 different folds")


# Rule: equals are called different in at most 5 of 100 cases, whatever moves the folds: samples,
# the luck of training samples, or the trainings' own chance.
@pytest.mark.parametrize(
    "world",
    [
        World(n=60, features=5),
        World(n=60, features=20),
        World(n=200, features=5, chance=0.5),
    ],
)
@pytest.mark.parametrize("same", [True, False])
def test_equals_over_folds(world: World, same: bool) -> None:
    a, b = samples_of_folds(np.random.default_rng(0), world, 600, same=same)
    assert called_different(by_samples(a, b, world)) < 0.06


# Rule: a clearly worse model is seen more often than by the folds' means alone.
def test_a_clearly_worse_model_is_seen_by_its_samples() -> None:
    world = World(n=200, features=5, worse=0.5)
    a, b = samples_of_folds(np.random.default_rng(0), world, 400, same=True)
    means = [
        np.stack([[values[r][folds[r] == k].mean() for k in range(5)] for r in range(400)])
        for values, folds in (a, b)
    ]
    by_both = called_different(by_samples(a, b, world))
    assert by_both > 0.65
    assert by_both > called_different(on_folds(*means, world)) + 0.1
