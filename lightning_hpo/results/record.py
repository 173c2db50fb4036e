"""What a study left behind, read and checked: ``results.json``, the trials, the final pictures."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, json_to_distribution
from optuna.trial import FrozenTrial, TrialState

from lightning_hpo.results.importances import Importances, rate_parameters
from lightning_hpo.results.results import Results, is_guest, read, taken
from lightning_hpo.storage.readonly import opened_study


@dataclass(frozen=True)
class Record:
    """One study.

    ``trials`` are ordered by number and empty for a study without a search space; of several
    objectives they hold the first. ``asked``: the search space as it was configured, also of
    conditional parameters that no trial has drawn.
    """

    folder: Path
    results: Results
    trials: tuple[FrozenTrial, ...]
    importances: Importances
    objectives: int = 1
    asked: Mapping[str, BaseDistribution] = field(default_factory=dict)

    @property
    def monitor(self) -> str:
        return str(self.results["monitor"])

    @property
    def is_guest(self) -> bool:
        """Whether the trials are jobs of another application."""
        return is_guest(self.results)

    @property
    def minimize(self) -> bool:
        return bool(self.results["direction"] == "minimize")

    @property
    def winner(self) -> FrozenTrial | None:
        """The best trial, where one completed and the storage holds it."""
        best = self.results["best"]
        numbers = {trial.number: trial for trial in self.trials}
        return None if best is None else numbers.get(best["number"])

    @property
    def taken(self) -> FrozenTrial | None:
        """The trial that was chosen: the winner of the race, or without one the best."""
        found = taken(self.results)
        numbers = {trial.number: trial for trial in self.trials}
        return None if found is None else numbers.get(found["number"])

    @property
    def space(self) -> dict[str, BaseDistribution]:
        """Every searched parameter; of a range changed between trials, the latest one."""
        return {
            name: distribution
            for trial in self.trials
            for name, distribution in trial.distributions.items()
        }

    def in_state(self, state: TrialState) -> list[FrozenTrial]:
        return [trial for trial in self.trials if trial.state is state]


def last_value(trial: FrozenTrial) -> float | None:
    """The objective, or for a trial that did not complete its last intermediate value."""
    if trial.value is not None:
        return trial.value
    steps = trial.intermediate_values
    return steps[max(steps)] if steps else None


def by_value(trials: list[FrozenTrial], *, minimize: bool) -> list[FrozenTrial]:
    """The trials that have a finite objective, best first."""
    finite = [trial for trial in trials if trial.value is not None and np.isfinite(trial.value)]
    return sorted(finite, key=lambda trial: trial.value or 0.0, reverse=not minimize)


def read_record(study_dir: Path, *, study: optuna.Study | None = None) -> Record:
    """Read the study in ``study_dir``; its storage is opened read-only, unless ``study`` is given.

    Raises:
        UserError: where no ``results.json`` is readable, or its trials are not where it says.
    """
    results = read(study_dir)
    if study is not None:
        return _record(study_dir, results, study)
    with opened_study(study_dir, results) as stored:
        if stored is None:
            return Record(study_dir, results, (), Importances({}, "There was nothing to search."))
        return _record(study_dir, results, stored)


def _record(study_dir: Path, results: Results, study: optuna.Study) -> Record:
    trials = study.get_trials()
    objectives = len(study.directions)
    if objectives > 1:  # FrozenTrial.value raises for several values: keep the first
        for trial in trials:
            trial.values = trial.values[:1] if trial.values else None
    importances, asked = rate_parameters(study), _configured_space(study)
    return Record(study_dir, results, tuple(trials), importances, objectives, asked)


def _configured_space(study: optuna.Study) -> dict[str, BaseDistribution]:
    described = study.user_attrs.get("fingerprint", {}).get("search space", {})
    return {name: json_to_distribution(json.dumps(d)) for name, d in described.items()}
