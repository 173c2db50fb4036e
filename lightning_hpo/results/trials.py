"""The trials of a study: the best one, how many ended how, the Pareto front.

And what their values are called.
"""

import warnings
from collections.abc import Iterable, Sequence
from math import isfinite
from typing import Any

import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from lightning_hpo.errors import StudyFailed, UserError
from lightning_hpo.jobs.retries import passed_over
from lightning_hpo.output.masking import presentable
from lightning_hpo.protocol.attributes import STOPPED_AFTER_FOLD

_UNFINISHED = (TrialState.RUNNING, TrialState.WAITING)


def best_trial(study: optuna.Study) -> FrozenTrial | None:
    """The best completed trial of a study with one objective, if there is any."""
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if not complete or len(study.directions) > 1:
        return None
    # A mean over some folds is no rival for one over all.
    whole = [t for t in complete if STOPPED_AFTER_FOLD not in t.user_attrs]
    pick = min if study.direction is StudyDirection.MINIMIZE else max
    return pick(whole, key=lambda trial: trial.value or 0.0, default=None)


def contenders(study: optuna.Study) -> list[FrozenTrial]:
    """The whole completed trials of a study with one objective, best first.

    Of those with the same parameters the best one.
    """
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if len(study.directions) > 1:
        return []
    sign = 1 if study.direction is StudyDirection.MINIMIZE else -1
    whole = [(sign * t.value, t) for t in complete if t.value is not None and isfinite(t.value)]
    whole = [(loss, t) for loss, t in whole if STOPPED_AFTER_FOLD not in t.user_attrs]
    found: dict[str, FrozenTrial] = {}
    for _, trial in sorted(whole, key=lambda pair: pair[0]):
        found.setdefault(repr(sorted(trial.params.items())), trial)
    return list(found.values())


def chosen_trial(study: optuna.Study, number: int | None) -> FrozenTrial | None:
    """Trial ``number`` if it is complete, or the best one if no number is given."""
    if number is None:
        return best_trial(study)
    complete = {t.number: t for t in study.trials if t.state is TrialState.COMPLETE}
    if number not in complete:
        raise StudyFailed(_not_complete(number, complete))
    return complete[number]


def check_final_trial(study: optuna.Study, number: int, *, to_come: int) -> None:
    """Raise :class:`UserError` unless trial ``number`` is complete or may yet be.

    ``to_come``: the trials that the search will add.
    """
    trials = study.get_trials(deepcopy=False)
    if number < len(trials):
        possible = trials[number].state in (TrialState.COMPLETE, *_UNFINISHED)
    else:
        possible = number < len(trials) + to_come
    if not possible:
        complete = [t.number for t in trials if t.state is TrialState.COMPLETE]
        more = f" and {to_come} to come" if to_come > 0 else ""
        raise UserError(_not_complete(number, complete, more))


def _not_complete(number: int, complete: Iterable[int], more: str = "") -> str:
    known = f"{sorted(complete)}{more}"
    return f"study.final_trial must be a complete trial, got {number}; there are {known}."


def has_reports(study: optuna.Study) -> bool:
    """Whether any trial has reported a value while it ran."""
    return any(trial.intermediate_values for trial in study.get_trials(deepcopy=False))


def counts(study: optuna.Study) -> dict[str, int]:
    """Trials by state; a failed one that takes no place in the study's total does not count."""
    trials = study.get_trials(deepcopy=False)
    by_state = {
        "complete": sum(t.state is TrialState.COMPLETE for t in trials),
        "pruned": sum(t.state is TrialState.PRUNED for t in trials),
        "failed": sum(t.state is TrialState.FAIL and not passed_over(t) for t in trials),
    }
    return {**by_state, "total": sum(by_state.values())}


def require_a_complete_trial(study: optuna.Study) -> None:
    """Raise :class:`StudyFailed` when there is none, or all were pruned or failed."""
    trials = study.get_trials(deepcopy=False)
    if any(trial.state is TrialState.COMPLETE for trial in trials):
        return
    if not trials:
        raise StudyFailed(
            "a search must have at least one trial, but none was started; raise study.n_trials or"
            " study.timeout_s, or give the searched parameters values."
        )
    n = counts(study)
    failures = [t.user_attrs["failure"] for t in trials if "failure" in t.user_attrs]
    last = f" The last failure: {presentable(str(failures[-1]))}." if failures else ""
    raise StudyFailed(
        f"at least one trial must complete, but of {n['total']} {n['pruned']} were pruned and"
        f" {n['failed']} failed.{last}"
    )


def pareto_front(study: optuna.Study) -> list[dict[str, Any]] | None:
    """The trials that no other beats in every objective; None for a single objective."""
    if len(study.directions) == 1:
        return None
    return [
        {"number": t.number, "values": list(t.values), "params": t.params}
        for t in study.best_trials
    ]


def name_objectives(study: optuna.Study, names: Sequence[str]) -> None:
    """By which dashboards call the values of its trials, in the order of its directions."""
    with warnings.catch_warnings():
        # A dashboard that does not know them calls them objectives, as before.
        warnings.simplefilter("ignore", ExperimentalWarning)
        if study.metric_names != list(names):
            study.set_metric_names(list(names))
