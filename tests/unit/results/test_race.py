"""Who runs each round of a race, who leaves and why, who wins, who is told apart."""

import numpy as np
import pytest

from benchmarks import race_honesty
from lightning_hpo.results import race
from lightning_hpo.results.race import Standing, sizes_within, standing, told_apart, winner

SIZES = (4, 3, 2)


def test_a_race_that_is_too_dear_is_shorter_and_then_none() -> None:
    # 24 evaluations of 8 epochs, or 10.
    assert sizes_within([8] * 12, 192) == (10, 6, 4, 2, 2)
    assert sizes_within([8] * 12, 191) == (5, 3, 2)
    assert sizes_within([8] * 12, 80) == (5, 3, 2)
    assert sizes_within([8] * 12, 79) == ()


def test_the_longest_candidates_count_as_if_they_ran_to_the_end() -> None:
    # 40 + 8 + 8 + 8 + 8, 40 + 8 + 8, 40 + 8.
    assert sizes_within([8, 8, 8, 8, 40], 176) == (5, 3, 2)
    assert sizes_within([8, 8, 8, 8, 40], 175) == ()


def test_a_few_candidates_cost_what_they_are() -> None:
    # Three, three, three, two, two.
    assert sizes_within([1, 1, 1], 13) == (10, 6, 4, 2, 2)
    assert sizes_within([1, 1, 1], 12) == (5, 3, 2)


def test_the_first_round_is_that_of_the_best_of_the_search() -> None:
    found = standing([7, 3, 5, 1, 8], {}, SIZES, minimize=True)
    assert found == Standing(((7, 3, 5, 1),), (7, 3, 5, 1), {}, missing=(7, 3, 5, 1))


def test_an_interrupted_round_misses_what_was_not_evaluated() -> None:
    found = standing([7, 3, 5, 1], {7: [0.5], 5: [0.25]}, SIZES, minimize=True)
    assert found.missing == (3, 1)


# Rule: race results alone decide; here the search's best is the race's worst.
@pytest.mark.parametrize(("minimize", "stay"), [(True, (1, 5, 3)), (False, (7, 3, 5))])
def test_the_best_means_enter_the_next_round(minimize: bool, stay: tuple[int, ...]) -> None:
    values = {7: [0.75], 3: [0.5], 5: [0.25], 1: [0.125]}
    found = standing([7, 3, 5, 1], values, SIZES, minimize=minimize)
    assert found.rounds == ((7, 3, 5, 1), stay)
    assert list(found.left.values()) == ["not among the best 3 after round 1"]


def test_who_diverged_is_out_whatever_it_had_before() -> None:
    values = {7: [0.1, None], 3: [0.5, 0.75], 5: [0.5, 0.25], 1: [0.9]}
    found = standing([7, 3, 5, 1], values, SIZES, minimize=True)
    assert found.left == {7: "failed in round 2", 1: "not among the best 3 after round 1"}
    assert found.rounds[2] == (5, 3)


# Rule: differences of 1.0 and 1.05 (t = 41 at one degree of freedom) tell, 0.5 and 1.5 do not.
@pytest.mark.parametrize(("second", "leaves"), [(1.55, True), (2.0, False)])
def test_who_is_told_from_the_leader_leaves_early(second: float, leaves: bool) -> None:
    values = {7: [0.5, 0.5], 3: [1.5, second], 5: [1.0 if leaves else 0.5, 9.0], 1: [9.0]}
    found = standing([7, 3, 5, 1], values, SIZES, minimize=True)
    expected = "worse than trial 7 over 2 rounds, p = 0.016"
    assert (found.left.get(3) == expected) is leaves


def test_equal_differences_tell_nothing() -> None:
    values = {7: [0.5, 0.75], 3: [0.625, 0.875]}
    assert standing([7, 3], values, (2, 2), minimize=True).left == {}


def test_with_one_left_the_race_is_over() -> None:
    values = {7: [0.5], 3: [None], 5: [None]}
    found = standing([7, 3, 5], values, SIZES, minimize=True)
    assert (found.racing, len(found.rounds), found.missing) == ((7,), 1, ())
    assert winner(found, values, minimize=True) == 7


# Rule: a race of two keeps two values of each round apart by its last means.
def test_the_winner_has_the_best_mean_of_all_its_rounds() -> None:
    values = {7: [0.5, 0.5, 0.5], 3: [0.25, 0.5, 0.5], 5: [0.625, 0.75], 1: [0.75]}
    found = standing([7, 3, 5, 1], values, SIZES, minimize=True)
    assert (found.racing, found.missing) == ((3, 7), ())
    assert winner(found, values, minimize=True) == 3


def test_of_equals_who_was_better_in_the_search_wins() -> None:
    values = {7: [0.5, 0.25], 3: [0.25, 0.5]}
    assert winner(standing([7, 3], values, (2, 2), minimize=True), values, minimize=True) == 7


def test_where_the_last_ones_diverged_one_that_never_did_wins() -> None:
    values = {7: [0.5, None], 3: [0.25, None], 5: [0.75], 1: [0.625]}
    found = standing([7, 3, 5, 1], values, (4, 2, 2), minimize=True)
    assert found.racing == ()
    assert winner(found, values, minimize=True) == 1


def test_where_all_diverged_nobody_wins() -> None:
    values = {7: [None], 3: [None]}
    assert winner(standing([7, 3], values, SIZES, minimize=True), values, minimize=True) is None


# Rule: two rounds of one value each are a paired t-test with one degree of freedom; one is none.
def test_the_winner_is_told_from_those_that_share_two_rounds() -> None:
    values = {7: [0.5, 0.5, 0.5], 3: [1.5, 1.501, None], 5: [0.5, 0.75, 1.0], 1: [9.0]}
    assert told_apart(7, values, minimize=True) == {3: True, 5: False}
    assert told_apart(3, values, minimize=False) == {7: True, 5: False}


def test_the_tests_hold_together() -> None:
    # Alone p = 0.035: of three such none is told apart.
    close = [0.5 + 0.5, 0.5 + 0.55]
    assert told_apart(0, {0: [0.5, 0.5], 1: close}, minimize=True) == {1: True}
    values = {0: [0.5, 0.5], 1: close, 2: close, 3: close}
    assert not any(told_apart(0, values, minimize=True).values())


def test_a_race_takes_at_most_a_quarter() -> None:
    assert race.LARGEST_SHARE == 0.25


# Rule: of data whose truth is known; the benchmark prints the same with more of them.
def test_a_race_finds_a_better_winner_than_as_many_more_trials() -> None:
    world = race_honesty.WORLDS["an edge of divergence"]
    rng = np.random.default_rng(1)
    found = [race_honesty.compared(world, rng, 100, race.FULL) for _ in range(40)]
    assert sum(each.with_race for each in found) < sum(each.without for each in found)
    assert sum(each.diverges[1] for each in found) < sum(each.diverges[0] for each in found)


def test_of_equals_hardly_any_is_told_apart() -> None:
    assert race_honesty.told_apart(np.random.default_rng(1), 100, race.FULL) < 0.12
    assert race_honesty.told_apart(np.random.default_rng(1), 50, race.FULL, lead=4) > 0.25
