"""Trials, records and folds of literal values, for the sentences of a report."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from optuna.distributions import (
    BaseDistribution,
)
from optuna.trial import FrozenTrial, TrialState, create_trial
from report_study import results_of

from lightning_hpo.results.importances import Importances
from lightning_hpo.results.record import Record


def trial(
    number: int = 0,
    value: float | None = 1.0,
    *,
    steps: int = 10,
    state: TrialState = TrialState.COMPLETE,
    params: Mapping[str, Any] | None = None,
    space: Mapping[str, BaseDistribution] | None = None,
    **attributes: Any,
) -> FrozenTrial:
    made = create_trial(
        state=state,
        value=value if state is TrialState.COMPLETE else None,
        params=dict(params or {}),
        distributions=dict(space or {}),
        intermediate_values=dict.fromkeys(range(steps), 1.0),
        user_attrs=attributes,
    )
    made.number = number
    return made


def record(trials: list[FrozenTrial], **changes: Any) -> Record:
    results = results_of("a study", trials, final=True) | changes
    return Record(Path("studies/a"), results, tuple(trials), Importances({}, "none"))


def values(*values: float) -> list[FrozenTrial]:
    return [trial(number, value) for number, value in enumerate(values)]
