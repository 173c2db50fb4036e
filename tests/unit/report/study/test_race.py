"""What the report says of a race: who won, whom it beats, from whom it cannot be told."""

from typing import Any

import pytest
from literal_trials import record, values

from lightning_hpo.report.study import race, sureness, winner
from lightning_hpo.report.study.headline import headline


def candidate(number: int, *values: float | None, left: str | None = None, n: int = 10) -> Any:
    params = {"optimizer.lr": number / 8}
    told = {"number": number, "value": number / 4, "params": params, "left": left}
    return told | {"values": list(values), "n_parameters": n}


def raced(*candidates: Any, won: int | None = 1, apart: tuple[int, ...] = (), anew: bool = True):
    rounds = [[each["number"] for each in candidates]] * 2
    found = {"rounds": rounds, "candidates": list(candidates), "winner": won}
    return found | {"told_apart": list(apart), "split_anew": anew}


FIRST, WON, THIRD = candidate(0, 1.0, 1.5), candidate(1, 0.5, 0.75, n=20), candidate(2, 1.5, 1.0)


def verdict(**told: Any) -> list[str]:
    return race.verdict(record(values(1.0), race=raced(FIRST, WON, THIRD, **told)).results)


# Rule: a sentence says no more than its test; who is told apart is decided by the race.
def test_who_is_beaten_and_who_is_not_to_be_told_are_two_sentences() -> None:
    assert verdict(apart=(0, 2)) == [
        "In the race trial 1 beats trials 0 and 2 on new splits of these data by more than noise "
        "(paired t-tests that hold together)."
    ]
    assert verdict(apart=(2,), anew=False)[0].startswith(
        "In the race trial 1 beats trial 2 with new seeds by more than noise"
    )
    assert verdict() == [
        "In the race trials 1, 0 and 2 cannot be told apart; trial 1, which has the best mean, was "
        "taken. The smallest of them is trial 0, with 10 parameters against 20."
    ]


def test_who_shares_one_round_is_not_judged() -> None:
    alone = raced(candidate(0, 1.0, None), WON, candidate(2, 1.0, None))
    assert race.verdict(record(values(1.0), race=alone).results) == [
        "In the race nobody shared two rounds with the winner: its lead is no test."
    ]


@pytest.mark.parametrize("told", [None, raced(FIRST, THIRD, won=None)])
def test_without_a_winner_there_is_no_verdict_and_no_tile(told: Any) -> None:
    results = record(values(1.0), race=told).results
    assert (race.verdict(results), race.tiles(results)) == ([], [])


# Rule: after a race the lead in the search tells nothing of the winner.
def test_the_verdict_of_the_race_takes_the_place_of_the_lead_in_the_search() -> None:
    told = raced(FIRST, WON, THIRD, apart=(0, 2))
    found = record(values(0.0, 0.25, 0.5), race=told, final_trial=1)
    words = sureness.sureness(found)
    assert words[0].startswith("In the race trial 1 beats trials 0 and 2")
    assert not any("leads the second" in each for each in words)


def test_the_page_shows_the_winner_of_the_race() -> None:
    told = raced(FIRST, WON, candidate(2, 2.0, None, left="failed in round 2"))
    found = record(values(0.0, 0.25, 0.5), race=told)
    assert headline(found).startswith(
        "Trial 1 won the race of the best 3 of 3 completed trials with a mean val/loss of 0.625 "
        "over 2 rounds."
    )
    html = winner.content(found)
    assert "Parameters of trial 1" in html
    assert "0.125" in html
    assert ("val/loss", "0.625", "in the race, 2 rounds") in race.tiles(found.results)


def test_the_section_has_a_picture_and_a_table() -> None:
    told = raced(FIRST, WON, candidate(2, 2.0, None, left="failed in round 2"))
    html = race.content(record(values(0.0, 0.25, 0.5), race=told))
    assert "The best 3 trials trained again in 2 rounds on fresh splits with fresh seeds." in html
    assert "In the search trial 0 was the best, with 0 against 0.25." in html
    # 0.5 and 0.75 behind, and 1.5 in the only round.
    assert "<td>+0.62</td>" in html and "<td>+1.5</td>" in html
    assert "<td>failed in round 2</td>" in html
    assert html.count("<figure") == 1


def test_data_that_keep_their_split_are_told() -> None:
    html = race.content(record(values(0.0, 0.25), race=raced(FIRST, WON, anew=False)))
    assert "the data keep their split, so the rounds differ in seeds alone" in html


def test_where_all_failed_the_best_of_the_search_was_taken() -> None:
    lost = [candidate(n, None, left="failed in round 1") for n in (0, 1)]
    html = race.content(record(values(0.0, 0.25), race=raced(*lost, won=None)))
    assert "Every trial failed in the race, so that the search&#x27;s best was taken." in html
    assert "<figure" not in html


def test_without_a_race_there_is_no_section() -> None:
    assert race.content(record(values(1.0))) == ""
