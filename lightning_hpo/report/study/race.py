"""The race in the report: who ran and left, as a picture, a table and a verdict that is a test."""

from collections.abc import Sequence

from lightning_hpo.protocol.averages import mean
from lightning_hpo.report.figures.race import race_picture
from lightning_hpo.report.html.markup import bullets, cell, figure, table, text
from lightning_hpo.results.record import Record
from lightning_hpo.results.results import Candidate, RaceOf, Results, raced
from lightning_hpo.results.text import count, listing, number


def content(record: Record) -> str:
    """The race, in the section of the winner; empty where there was none."""
    race = record.results.get("race")
    if race is None:
        return ""
    html = "<h3>The race</h3>\n" + bullets(_words(record, race))
    if raced(record.results) is not None:
        html += figure(race_picture(record, race))
    return html + _table(race)


def tiles(results: Results) -> list[tuple[str, str, str]]:
    """The winner's mean, as a key figure."""
    if (race := raced(results)) is None:
        return []
    values = _finite(race[1])
    note = f"in the race, {count(len(values), 'round')}"
    return [(results["monitor"], number(mean(values)), note)]


def verdict(results: Results) -> list[str]:
    """Whom the winner beats by more than noise, and from whom it cannot be told.

    By paired t-tests over the rounds that both ran, which hold together at 5 % (Holm). The winner
    has the best mean, not the smallest network: taken among those that cannot be told apart, the
    smallest lost a part of what a race gains (docs/verdicts.md).
    """
    if (race := raced(results)) is None:
        return []
    told, won = race
    of_winner = _finite(won)
    tested = [
        each
        for each in told["candidates"]
        if each is not won and min(len(_finite(each)), len(of_winner)) > 1
    ]
    beaten = [each for each in tested if each["number"] in told["told_apart"]]
    near = [each for each in tested if each not in beaten]
    if not tested:
        return ["In the race nobody shared two rounds with the winner: its lead is no test."]
    where = "on new splits of these data" if told["split_anew"] else "with new seeds"
    found = []
    if beaten:
        found.append(
            f"In the race trial {won['number']} beats {_trials(beaten)} {where} by more than noise "
            "(paired t-tests that hold together)."
        )
    if near:
        found.append(_not_told_apart(won, near))
    return found


def _not_told_apart(won: Candidate, near: Sequence[Candidate]) -> str:
    together = [won, *near]
    words = (
        f"In the race {_trials(together)} cannot be told apart; trial {won['number']}, which has "
        "the best mean, was taken."
    )
    small = min(together, key=lambda each: each["n_parameters"] or 0)
    if small["n_parameters"] and small["n_parameters"] < (won["n_parameters"] or 0):
        words += (
            f" The smallest of them is trial {small['number']}, with {small['n_parameters']:,} "
            f"parameters against {won['n_parameters']:,}."
        )
    return words


def _words(record: Record, race: RaceOf) -> list[str]:
    many, rounds = count(len(race["candidates"]), "trial"), count(len(race["rounds"]), "round")
    anew = (
        "on fresh splits with fresh seeds"
        if race["split_anew"]
        else "with fresh seeds; the data keep their split, so the rounds differ in seeds alone"
    )
    words = [
        f"The best {many} trained again in {rounds} {anew}. These results alone chose the winner."
    ]
    best, found = record.results["best"], raced(record.results)
    if found is None:
        return [*words, "Every trial failed in the race, so that the search's best was taken."]
    won = found[1]
    if best is not None and best["number"] != won["number"]:
        words.append(
            f"In the search trial {best['number']} was the best, with {number(best['value'])} "
            f"against {number(won['value'])}."
        )
    return words


def _table(race: RaceOf) -> str:
    rounds = [f"round {n + 1}" for n in range(len(race["rounds"]))]
    columns = ["Trial", "how it ended", "in the search", *rounds, "against the winner"]
    of_winner = (each for each in race["candidates"] if each["number"] == race["winner"])
    rows, won = [], next(of_winner, None)
    for each in race["candidates"]:
        end = "won" if each["number"] == race["winner"] else each["left"] or "ran to the end"
        rows.append(
            [
                cell(str(each["number"]), head=True),
                cell(text(end)),
                cell(number(each["value"])),
                *(cell("" if v is None else number(v)) for v in each["values"]),
                cell(_behind(each, won)),
            ]
        )
    return table("The race, round by round", columns, rows)


def _behind(candidate: Candidate, won: Candidate | None) -> str:
    """The mean difference to the winner over the rounds that both ran."""
    if won is None or candidate is won:
        return ""
    pairs = zip(candidate["values"], won["values"], strict=True)
    found = [a - b for a, b in pairs if a is not None and b is not None]
    return f"{mean(found):+.2g}" if found else ""


def _trials(candidates: Sequence[Candidate]) -> str:
    numbers = [str(each["number"]) for each in candidates]
    return f"trial {numbers[0]}" if len(numbers) == 1 else f"trials {listing(numbers)}"


def _finite(candidate: Candidate) -> list[float]:
    return [value for value in candidate["values"] if value is not None]
