"""How sure a winner is: its folds against its lead, its promise and its test."""

from collections.abc import Sequence

from optuna.trial import TrialState

from lightning_hpo.results.readings import Spread, spread, test_value
from lightning_hpo.results.record import Record, by_value
from lightning_hpo.results.text import number


def sureness(record: Record) -> list[str]:
    """How sure the winner is: the spread over folds against the lead over the other trials."""
    ranked = by_value(record.in_state(TrialState.COMPLETE), minimize=record.minimize)
    folds = spread(record.results)
    if folds is None:
        return [
            "The winner was not cross-validated, so nothing is known about how much its value "
            "depends on the split of the data."
        ]
    values = [trial.value for trial in ranked if trial.value is not None]
    return [
        *_lead_against_spread(values, folds, record.monitor),
        *_optimism(values, folds, record),
        *_test_against_folds(folds, record),
    ]


def _lead_against_spread(values: Sequence[float], folds: Spread, monitor: str) -> list[str]:
    if len(values) < 2:
        return [f"Over the folds {monitor} varies with a standard deviation of {folds.std:.2g}."]
    lead = abs(values[0] - values[1])
    near = sum(abs(value - values[0]) <= folds.std for value in values[1:])
    yardstick = (
        f"The best trial leads the second by {lead:.2g}; over the folds its {monitor} varies with "
        f"a standard deviation of {folds.std:.2g}"
    )
    if lead > 2 * folds.std:
        return [f"{yardstick}. The lead is more than twice that: the winner is a clear one."]
    if near == 0:
        return [
            f"{yardstick}. The lead is about as large as what another split of the data changes: "
            "a likely winner, not a certain one."
        ]
    others = (
        "one other trial lies within one standard deviation of the best, and another split of the "
        "data could have put it first: both are good choices."
        if near == 1
        else f"{near} other trials lie within one standard deviation of the best, and another "
        "split of the data could have put any of them first: take the winner as one of several "
        "good choices."
    )
    times = f", {folds.std / lead:.0f} times as much" if lead and folds.std >= 2 * lead else ""
    return [f"{yardstick}{times}. So {others}"]


def _optimism(values: Sequence[float], folds: Spread, record: Record) -> list[str]:
    """The search's best value was chosen for being best, so the folds' mean is the fairer one."""
    if not values:
        return []
    worse = folds.mean - values[0] if record.minimize else values[0] - folds.mean
    compared = f"{number(values[0])} in the search, {number(folds.mean)} on average over the folds"
    if worse > folds.std:
        return [
            f"{compared}: the search's value was picked as the best of {len(values)} and flatters "
            "the winner; expect the folds' mean."
        ]
    return [f"{compared}: the folds confirm what the search promised."]


def _test_against_folds(folds: Spread, record: Record) -> list[str]:
    value = test_value(record.results)
    if value is None or folds.std == 0:
        return []
    distance = abs(value - folds.mean) / folds.std
    better = (value < folds.mean) == record.minimize
    suggested = f"than the folds suggest, by {distance:.1f} standard deviations"
    if distance <= 2:
        found = "as expected, within two standard deviations of the folds' mean"
    elif better:
        found = f"better {suggested}: the refit saw more data, or the test data are easier"
    else:
        found = f"worse {suggested}: the test data are harder, or the refit went less well"
    return [f"{number(value)} on the test set: {found}."]
