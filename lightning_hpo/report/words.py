"""Conclusions in plain language: pure functions from a study's record to sentences."""

import math
import shlex
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState

from lightning_hpo.output.masking import presentable
from lightning_hpo.protocol.attributes import FORCED_RESUME
from lightning_hpo.results.importances import Importances
from lightning_hpo.results.readings import Spread, epochs_reported, spread, test_value
from lightning_hpo.results.record import Record, by_value
from lightning_hpo.results.text import (
    count,
    listing,
    number,
    percent,
    plus_minus,
    value_range,
)

BORDER = 0.05  # an optimum this close to an end of its range, as a fraction of the range's length


BOOKKEEPING = (
    "failure",
    "owner",
    FORCED_RESUME,
)  # texts among a trial's attributes that are no settings
TRIALS_FOR_TRUST = 40  # below this many completed trials importances are called a hint


def place(value: float, distribution: BaseDistribution) -> float | None:
    """Where in its range a value lies, 0 at the low end and 1 at the high one, on the range's own
    scale; None for choices, and for ranges of one or two values, which are all border."""
    if not isinstance(distribution, (FloatDistribution, IntDistribution)):
        return None
    low, high = float(distribution.low), float(distribution.high)
    if low == high or (distribution.step and (high - low) / distribution.step < 1.5):
        return None
    if distribution.log:
        value, low, high = math.log(value), math.log(low), math.log(high)
    return (value - low) / (high - low)


def at_border(position: float | None) -> bool:
    """Within 5 % of the range's length of either end (and a rounding error)."""
    return position is not None and min(position, 1 - position) <= BORDER + 1e-9


def borders(trial: FrozenTrial) -> list[str]:
    """One sentence for each parameter whose optimum lies at the border of its range."""
    sentences = []
    for name, distribution in trial.distributions.items():
        position = place(trial.params[name], distribution)
        if position is None or not at_border(position):
            continue
        end, limit = (
            ("lower", getattr(distribution, "low", None))
            if position < 0.5
            else ("upper", getattr(distribution, "high", None))
        )
        logarithmic = " on its logarithmic scale" if getattr(distribution, "log", False) else ""
        sentences.append(
            f"{name} = {number(trial.params[name])} lies at the {end} border of its range "
            f"({value_range(distribution)}){logarithmic}: where values beyond "
            f"{number(limit)} make sense, search a wider range."
        )
    return sentences


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
        verdict = "as expected, within two standard deviations of the folds' mean"
    elif better:
        verdict = f"better {suggested}: the refit saw more data, or the test data are easier"
    else:
        verdict = f"worse {suggested}: the test data are harder, or the refit went less well"
    return [f"{number(value)} on the test set: {verdict}."]


def test_words(results: Mapping[str, Any]) -> str:
    """The test result, which the page's head shows large, where the winner is explained."""
    test = results.get("test")
    if not test:
        reason = results.get("no_test")
        return f"There was no test: {reason}." if reason else "The test set has not been used."
    spread, many = results.get("test_std") or {}, len(results.get("refits") or [])
    values = [f"{name} = {plus_minus(value, spread.get(name))}" for name, value in test.items()]
    if not spread:
        return f"On the test set, opened once, after the search: {listing(values)}."
    return (
        f"On the test set, opened once by each of {many} networks, which differ in their seeds, "
        f"after the search: {listing(values)}, mean and standard deviation."
    )


def refit_words(results: Mapping[str, Any]) -> list[str]:
    """Whether the refit kept a part of the training data to validate on."""
    refits = results.get("refits") or [{}]
    kept = refits[0].get("val_fraction")
    if not kept:
        return []
    return [
        f"The refit trained on {percent(1 - kept)} of the training data and kept the rest, because "
        "something in it needs a validation."
    ]


def left_out(refits: Sequence[Mapping[str, Any]]) -> list[str]:
    """One line for each reason why figures could not be drawn."""
    by_reason: dict[str, list[str]] = {}
    for refit in refits:
        for name, reason in (refit.get("left_out") or {}).items():
            by_reason.setdefault(reason.rstrip("."), []).append(name.replace("_", " "))
    return [f"Left out: {listing(names)} ({reason})." for reason, names in by_reason.items()]


def verdict(record: Record) -> str:
    """The study in one sentence or two, for the top of the page."""
    best, totals = record.results["best"], record.results["trials"]
    if best is not None:
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
    splits = record.results["cv"]["n_splits"]
    return (
        f"{opening} Cross-validated on {splits} folds, {record.monitor} is "
        f"{plus_minus(folds.mean, folds.std)}."
    )


def _states(totals: Mapping[str, int]) -> str:
    return listing([f"{totals[s]} {s}" for s in ("pruned", "failed") if totals.get(s)]) or "none"


def progress(record: Record) -> list[str]:
    """Whether the search was still getting better when it ended."""
    winner = record.winner
    if winner is None:
        return []
    after = sum(trial.number > winner.number for trial in record.trials)
    following = "the one trial" if after == 1 else f"the {after} trials"
    if after == 0:
        return [
            f"The best trial, number {winner.number}, was also the last: more trials would "
            "probably find a better one."
        ]
    return [f"The best trial is number {winner.number}; {following} after it found nothing better."]


def pruning_saved(record: Record) -> str:
    """Epochs that pruning saved, a pruned trial being counted as if it would have lasted as long as
    the longest trial did."""
    pruned = record.in_state(TrialState.PRUNED)
    if not pruned:
        return "No trial was pruned."
    longest = max(map(epochs_reported, record.trials))
    ran = sum(map(epochs_reported, record.trials))
    saved = sum(longest - epochs_reported(trial) for trial in pruned)
    if longest == 0:
        return f"{count(len(pruned), 'trial')} pruned, without intermediate values to count."
    typical = median(map(epochs_reported, pruned))
    most = f", half of them within {typical:g} epochs," if len(pruned) > 1 and typical > 1 else ""
    return (
        f"Pruning stopped {len(pruned)} of {count(len(record.trials), 'trial')}{most} and saved "
        f"{count(saved, 'epoch')}: {ran} were trained instead of "
        f"{ran + saved} ({percent(saved / (ran + saved))} saved), counted against the longest "
        f"trial's {longest}."
    )


def mixtures(record: Record) -> list[str]:
    """Which trials ran with other settings than those before, after study.force_resume."""
    mixed: dict[str, list[int]] = {}
    for trial in record.trials:
        if (changed := trial.user_attrs.get(FORCED_RESUME)) is not None:
            mixed.setdefault(str(changed), []).append(trial.number)
    return [
        f"Since trial {numbers[0]} the study ran with other settings (study.force_resume):"
        f" {changed}. Do not compare values with those before."
        for changed, numbers in mixed.items()
    ]


def failures(record: Record) -> list[str]:
    """The reasons why trials failed, the most frequent first, with the trials' numbers."""
    failed: dict[str, list[FrozenTrial]] = {}
    for trial in record.in_state(TrialState.FAIL):
        reason = presentable(str(trial.user_attrs.get("failure", "no reason recorded")))
        failed.setdefault(reason.rstrip("."), []).append(trial)
    sentences = []
    for reason, trials in sorted(failed.items(), key=lambda entry: -len(entry[1])):
        numbers = [str(trial.number) for trial in trials[:8]] + ["…"] * (len(trials) > 8)
        retried = sum(bool(trial.user_attrs.get("retried")) for trial in trials)
        again = f" Tried again: {retried}." if retried else ""
        sentences.append(
            f"{count(len(trials), 'trial')} failed ({', '.join(numbers)}): {reason}.{again}"
        )
    return sentences


def importance_words(importances: Importances) -> str:
    """Which parameters matter, and how far that rating can be trusted."""
    if not importances.shares:
        return importances.why_not
    first, *others = importances.shares.items()
    few = importances.completed < TRIALS_FOR_TRUST
    doubt = (
        f"; with {importances.completed} completed trials that is a hint, no more" if few else ""
    )
    rest = listing([f"{name} ({percent(share)})" for name, share in others[:2]])
    return (
        f"{first[0]} ({percent(first[1])}) sets the best {percent(importances.top)} of the "
        f"completed trials apart most clearly, followed by {rest}{doubt}."
    )


def fixed_settings(record: Record) -> dict[str, str]:
    """Short text attributes that no two trials contradict: the overrides held fixed."""
    values: dict[str, set[object]] = {}
    for trial in record.trials:
        for name, value in trial.user_attrs.items():
            values.setdefault(name, set()).add(value if isinstance(value, str) else None)
    single = {name: found.pop() for name, found in values.items() if len(found) == 1}
    return {
        name: value
        for name, value in single.items()
        if isinstance(value, str) and len(value) <= 80 and not _is_bookkeeping(name)
    }


def _is_bookkeeping(name: str) -> bool:
    """What says how a study ran, its folder or its number of trials, is no setting of a trial."""
    return name in BOOKKEEPING or name.startswith("study.")


def resume_command(command: str, *, total: int, more: int = 50) -> str:
    """The study's command with its total of trials raised by `more`."""
    words = [word for word in shlex.split(command) if not word.startswith("study.n_trials=")]
    return shlex.join([*words, f"study.n_trials={total + more}"])
