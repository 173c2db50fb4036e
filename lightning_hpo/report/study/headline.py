"""A study in one sentence or two, for the top of its page."""

from typing import Literal

from lightning_hpo.protocol.averages import mean
from lightning_hpo.report.study import trivial
from lightning_hpo.results.readings import spread
from lightning_hpo.results.record import Record
from lightning_hpo.results.results import Candidate, Counts, RaceOf, raced
from lightning_hpo.results.text import count, listing, number, plus_minus

_ENDS: tuple[Literal["pruned", "failed"], ...] = ("pruned", "failed")


def headline(record: Record) -> str:
    """The study in a few sentences, for the top of the page.

    That the network is not better than a trivial model comes first.
    """
    told, warning = [_told(record)], trivial.sentences(record.results)
    order = [*told, *warning] if trivial.is_beaten(record.results) else [*warning, *told]
    return " ".join(order)


def _told(record: Record) -> str:
    best, totals = record.results["best"], record.results["trials"]
    if (race := raced(record.results)) is not None:
        opening = _of_race(record, *race)
    elif best is not None:
        least = "lowest" if record.minimize else "highest"
        opening = (
            f"Trial {best['number']} won with {record.monitor} = {number(best['value'])}, the "
            f"{least} of {count(totals['complete'], 'completed trial')}."
        )
    elif record.objectives > 1:
        opening = (
            f"A search with {record.objectives} objectives, so without a single winner: "
            f"{count(totals['complete'], 'completed trial')}. This page shows the first objective."
        )
    elif totals["total"]:
        opening = f"No trial completed: of {totals['total']}, {_states(totals)}."
    else:
        opening = "A baseline: fixed parameters, nothing searched."
    folds = spread(record.results)
    if folds is None:
        return opening
    cv = record.results.get("cv") or {}
    return (
        f"{opening} Cross-validated on {cv['n_splits']} folds, {record.monitor} is "
        f"{plus_minus(folds.mean, folds.std)}, mean and standard deviation."
    )


def _of_race(record: Record, race: RaceOf, won: Candidate) -> str:
    values = [value for value in won["values"] if value is not None]
    complete = count(record.results["trials"]["complete"], "completed trial")
    return (
        f"Trial {won['number']} won the race of the best {len(race['candidates'])} of {complete} "
        f"with a mean {record.monitor} of {number(mean(values))} over "
        f"{count(len(values), 'round')}."
    )


def _states(totals: Counts) -> str:
    return listing([f"{totals[s]} {s}" for s in _ENDS if totals.get(s)]) or "none"
