"""How sure a winner is: its lead, what the search promised and its test, each by a test.

A sentence judges where a test of 5 % error lets it; else it tells the numbers alone.
"""

from collections.abc import Sequence

from optuna.trial import FrozenTrial, TrialState

from lightning_hpo.protocol.attributes import STOPPED_AFTER_FOLD
from lightning_hpo.protocol.files import stored_json, stored_object
from lightning_hpo.protocol.folder import StudyFolder
from lightning_hpo.protocol.judging import Rule, rule_of
from lightning_hpo.report.study import race, trivial
from lightning_hpo.report.study.conditions import same_conditions
from lightning_hpo.results.readings import Spread, spread, test_value
from lightning_hpo.results.record import Record, by_value
from lightning_hpo.results.statistics import (
    as_share,
    interval,
    judged_together,
    paired,
    prediction,
)
from lightning_hpo.results.text import count, number, percent

# Worse than the search's value by at most so much of it, a winner is what the search promised.
MARGIN = 0.1


def sureness(record: Record) -> list[str]:
    """How sure the winner is: its lead over the other trials, and its folds against the search."""
    complete = record.in_state(TrialState.COMPLETE)
    # A mean over some folds is no rival for one over all.
    whole = [trial for trial in complete if STOPPED_AFTER_FOLD not in trial.user_attrs]
    ranked = by_value(whole, minimize=record.minimize)
    folds = spread(record.results)
    lead = race.verdict(record.results) or _lead(ranked, record)
    if folds is None:
        return [
            *lead,
            *_corrected(record),
            "The winner was not cross-validated, so nothing is known about how much its value "
            "depends on the split of the data.",
        ]
    return [
        *lead,
        *_corrected(record),
        f"Over the folds {record.monitor} varies with a standard deviation of {folds.std:.2g}.",
        *_promise(ranked, folds, record),
        *_test_against_folds(folds, record),
    ]


def _lead(ranked: Sequence[FrozenTrial], record: Record) -> list[str]:
    """The best trial against the others: paired over the search's folds, where it had any.

    A best that beats the second by a two-sided test is truly the best, with the error of that one
    test, however many there were to choose from (Gutmann and Maymon 1987, Hung and Fithian 2019).
    """
    if len(ranked) < 2:
        return []
    lead = abs((ranked[0].value or 0.0) - (ranked[1].value or 0.0))
    leads = f"The best trial leads the second by {lead:.2g}"
    of_trials = [_fold_values(record, trial.number) for trial in ranked]
    best, second = of_trials[:2]
    if len(best) < 2 or len(second) != len(best):
        return [f"{leads}. One value of each cannot tell whether that is more than chance."]
    overlap = 1 / (len(best) - 1)
    rivals = [values for values in of_trials[1:] if len(values) == len(best)]
    found = [paired(best, values, overlap=overlap) for values in rivals]
    if not found[0].within_noise:
        is_one = ": the winner is a clear one" if trivial.is_beaten(record.results) else ""
        return [f"{leads}, over the {len(best)} folds of the search by more than noise{is_one}."]
    near = sum(each.within_noise for each in judged_together(found))
    are = "is" if near == 1 else "are"
    return [
        f"{leads}, over the {len(best)} folds of the search a difference within noise. "
        f"{count(near, 'other trial')} {are} not to be told from the best: take the winner as one "
        "of several good choices."
    ]


def _corrected(record: Record) -> list[str]:
    """What the search's value is worth as that of a trial which was chosen: an estimate."""
    found, best = record.results.get("bias_corrected"), record.results["best"]
    if not found or best is None:
        return []
    epochs = "" if found["at_last_epoch"] else ", each fold still at its own best epoch"
    many = count(found["left_out"], "trial")
    left_out = f"; {many} without all samples, as pruned ones are, left out"
    return [
        f"Corrected for having been picked as the best of {found['trials']} on the same samples, "
        f"{number(best['value'])} is worth {number(found['value'])}, {number(found['low'])} to "
        f"{number(found['high'])} in 95 of 100 draws of these {found['samples']} samples (BBC-CV)"
        f"{epochs}{left_out if found['left_out'] else ''}."
    ]


def _fold_values(record: Record, number: int) -> list[float]:
    """A trial's value in each fold of the search; none where it has left none."""
    folder = StudyFolder(record.folder).trial(number)
    stacked = stored_json(folder.fold_values)
    if isinstance(stacked, list):
        return [float(value) for value in stacked]
    values: list[float] = []
    while (found := stored_object(folder.fold(len(values)).result)) is not None:
        # Of an older study the best value, which was what counted.
        value = found.get("objective", found.get("value"))
        if not isinstance(value, int | float):
            return []
        values.append(float(value))
    return values


def _promise(ranked: Sequence[FrozenTrial], folds: Spread, record: Record) -> list[str]:
    """The search's best value against the interval of the folds' mean, which nobody chose.

    Whatever it is worth, a value is called flattering, and so is one confirmed, wrongly in at most
    2.5 % of cases, as an estimate of what the folds' mean estimates. Nothing is said where the
    folds are of another trial, nor where search and final job differ in data or epochs.
    """
    if not ranked or record.results.get("final_trial") not in (None, ranked[0].number):
        return []
    if not same_conditions(record, ranked[0].number):
        return []
    value = ranked[0].value or 0.0
    low, high = interval(folds.folds, overlap=folds.overlap)
    # As losses, of which less is better.
    promised, low, high = (value, low, high) if record.minimize else (-value, -high, -low)
    compared = f"{number(value)} in the search, {number(folds.mean)} on average over the folds"
    chosen = _chosen(len(ranked), rule_of(record.results.get("cv") or {}))
    if low > promised:
        flatters = f"{chosen} and flatters" if chosen else "flatters"
        return [
            f"{compared}, worse by more than noise: the search's value {flatters} the winner; "
            "expect the folds' mean."
        ]
    if high <= promised + MARGIN * abs(promised):
        return [
            f"{compared}: to within {percent(MARGIN)} the folds confirm what the search promised."
        ]
    expect = f" It {chosen.rstrip(',')}, so expect the folds' mean." if chosen else ""
    return [
        f"{compared}: {len(folds.folds)} folds neither confirm nor refute the search's value."
        f"{expect}"
    ]


def _chosen(n_trials: int, rule: Rule) -> str:
    """How luck could choose the search's value, and not the folds'; empty: it could not."""
    if rule == "others":
        own = "at its own best epoch"
        return f"was picked as the best of {n_trials}, each {own}," if n_trials > 1 else f"is {own}"
    return f"was picked as the best of {n_trials}" if n_trials > 1 else ""


def _test_against_folds(folds: Spread, record: Record) -> list[str]:
    """The test value against the interval in which one more fold would lie."""
    value = test_value(record.results)
    if value is None or len(folds.folds) < 2 or folds.std == 0:
        return []
    low, high = as_share(record.monitor, folds.folds, prediction(folds.folds))
    reach = f"{number(low)} to {number(high)}, where one more fold lies in 95 of 100 cases"
    if low <= value <= high:
        return [f"{number(value)} on the test set: within {reach}."]
    better = (value < low) == record.minimize
    return [
        f"{number(value)} on the test set: {'better' if better else 'worse'} than the folds "
        f"suggest, outside {reach}."
    ]
