"""Optuna's TPE, with the same suggestions, that does not read every trial anew for each of them.

Up to rounding, that is, for the estimators are computed by SciPy; see ``parzen.py``.

What a trial contributes never changes once it has ended; so it is read once and kept in arrays.
Optuna reads all trials for each group of parameters, which is most of the time of an ``ask``. The
trials are looked at once for each ``ask``: suggestions are Optuna's as long as a trial's parameters
are suggested before another trial enters, which the controllers' lock sees to.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import RandomSampler
from optuna.samplers._lazy_random_state import LazyRandomState
from optuna.samplers._tpe.sampler import (
    _get_infeasible_trial_score,
    _split_trials,
    default_gamma,
    default_gamma_multiobjective,
)
from optuna.search_space import IntersectionSearchSpace
from optuna.search_space.group_decomposed import _SearchSpaceGroup
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

from lightning_hpo.strategies.parzen import ParzenEstimator

_ENDED = (TrialState.COMPLETE, TrialState.PRUNED)

Array = np.ndarray[Any, Any]


@dataclass
class _Column:
    """A parameter's internal values in all rows so far; NaN where a trial does not have it."""

    distribution: BaseDistribution
    values: Array
    n: int = 0


class Memory:
    """The trials that have ended, one row for each, by number."""

    def __init__(self) -> None:
        self.trials: list[FrozenTrial] = []
        # The first row of each set of parameters.
        self._kinds: dict[frozenset[str], int] = {}
        self._columns: dict[str, _Column] = {}
        # Of a trial that is complete and keeps its constraints its value; NaN of all others.
        self._values = np.empty(0)
        self._seen: list[FrozenTrial] | None = None
        self._running: list[FrozenTrial] = []

    def look(self, study: Study) -> None:
        """Take what has ended since the last look; once for each suggestion."""
        everything = study._get_trials(deepcopy=False, use_cache=True)
        if everything is self._seen:
            return
        self._seen = everything
        self._running = [t for t in everything if t.state is TrialState.RUNNING]
        self._take([t for t in everything if t.state in _ENDED])

    def running(self, but: int) -> list[FrozenTrial]:
        return [trial for trial in self._running if trial.number != but]

    def _take(self, ended: list[FrozenTrial]) -> None:
        # The same objects, as a rule, which are compared at once; only then their contents.
        n = len(self.trials)
        if ended[:n] != self.trials:
            pairs = zip(ended, self.trials, strict=False)
            n = next((k for k, (a, b) in enumerate(pairs) if a != b), min(n, len(ended)))
            self._kinds = {kind: row for kind, row in self._kinds.items() if row < n}
            for column in self._columns.values():
                column.n = min(column.n, n)
        self._values = _grown(self._values, len(ended))
        for row, trial in enumerate(ended[n:], n):
            self._kinds.setdefault(frozenset(trial.distributions), row)
            self._values[row] = _value(trial)
        self.trials = ended

    def groups(self) -> _SearchSpaceGroup:
        """Optuna's groups of parameters: a trial with the parameters of another adds nothing."""
        found = _SearchSpaceGroup()
        for row in self._kinds.values():
            found.add_distributions(self.trials[row].distributions)
        return found

    def split(self, study: Study, n_below: int) -> tuple[Array, Array]:
        """The rows of the better trials and those of the others, each by number."""
        values = self._values[: len(self.trials)]
        complete = np.flatnonzero(~np.isnan(values))
        is_below = np.zeros(len(values), dtype=bool)
        if len(study.directions) == 1 and len(complete) >= n_below:
            sign = 1 if study.direction == StudyDirection.MINIMIZE else -1
            best = np.argsort(sign * values[complete], kind="stable")[:n_below]
            is_below[complete[best]] = True
        else:
            below = {trial.number for trial in _split_trials(study, self.trials, n_below)[0]}
            is_below[:] = [trial.number in below for trial in self.trials]
        return np.flatnonzero(is_below), np.flatnonzero(~is_below)

    def column(self, name: str, distribution: BaseDistribution) -> Array:
        """A parameter's internal values, one for each row."""
        column = self._columns.get(name)
        if column is None or column.distribution != distribution:
            column = self._columns[name] = _Column(distribution, np.empty(0))
        column.values = _grown(column.values, len(self.trials))
        for row, trial in enumerate(self.trials[column.n :], column.n):
            has_it = name in trial.params
            column.values[row] = (
                distribution.to_internal_repr(trial.params[name]) if has_it else np.nan
            )
        column.n = len(self.trials)
        return column.values[: column.n]


@dataclass(frozen=True)
class _Side:
    """The better trials or the others: rows of the memory, and trials that still run."""

    rows: Array
    running: Sequence[FrozenTrial] = ()


class TPESampler(optuna.samplers.TPESampler):
    """Optuna's, with a memory."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self._memory = Memory()
        self._parzen_estimator_cls = ParzenEstimator
        if self._group:
            self._group_decomposed_search_space = cast(Any, _Groups(self._memory))

    def seeded(self, seed: int) -> "TPESampler":
        """This sampler as if it were just made with another seed; the memory is shared."""
        fresh = copy.copy(self)
        fresh._rng = LazyRandomState(seed)
        fresh._random_sampler = RandomSampler(seed=seed)
        fresh._search_space = IntersectionSearchSpace(include_pruned=True)
        return fresh

    def _sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        self._memory.look(study)
        if not search_space or len(self._memory.trials) < self._n_startup_trials:
            return {}
        return self._sample(study, trial, search_space)

    def _sample(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        self._memory.look(study)
        if self._gamma is None:
            one = len(study.directions) <= 1
            self._gamma = default_gamma if one else default_gamma_multiobjective
        below, above = self._memory.split(study, self._gamma(len(self._memory.trials)))
        running = self._memory.running(but=trial.number) if self._constant_liar else ()
        better = self._estimator(study, search_space, _Side(below), handle_below=True)
        others = self._estimator(study, search_space, _Side(above, running), handle_below=False)
        samples = better.sample(self._rng.rng, self._n_ei_candidates)
        found: dict[str, Any] = dict(
            self._compare(samples, self._compute_acquisition_func(samples, better, others))
        )
        return {n: d.to_external_repr(found[n]) for n, d in search_space.items()}

    def _estimator(self, study: Study, space: Any, side: _Side, *, handle_below: bool) -> Any:
        # It hands the trials to the method below, and does nothing else with them.
        return self._build_parzen_estimator(study, space, cast(Any, side), handle_below)

    def _get_internal_repr(  # type: ignore[override]
        self, side: _Side, search_space: dict[str, BaseDistribution], study: Study
    ) -> dict[str, Array]:
        columns = {n: self._memory.column(n, d)[side.rows] for n, d in search_space.items()}
        has_all = ~np.any([np.isnan(values) for values in columns.values()], axis=0)
        found = {name: values[has_all] for name, values in columns.items()}
        running = self._of_running(side.running, search_space, study)
        if not running:
            return found
        numbers = [self._memory.trials[row].number for row in side.rows[has_all]]
        order = np.argsort([*numbers, *running])
        return {
            name: np.append(values, [params[name] for params in running.values()])[order]
            for name, values in found.items()
        }

    def _of_running(
        self, running: Sequence[FrozenTrial], space: dict[str, BaseDistribution], study: Study
    ) -> dict[int, dict[str, float]]:
        """The internal values of those that have all parameters of the space, by number."""
        all_params = {trial.number: self._get_params(trial, study) for trial in running}
        return {
            number: {name: d.to_internal_repr(params[name]) for name, d in space.items()}
            for number, params in all_params.items()
            if space.keys() <= params.keys()
        }


class _Groups:
    """In the place of Optuna's groups, which it finds again in all trials for each suggestion."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def calculate(self, study: Study, use_cache: bool = False) -> _SearchSpaceGroup:
        self._memory.look(study)
        return self._memory.groups()


def _value(trial: FrozenTrial) -> float:
    is_feasible = trial.state is TrialState.COMPLETE and _get_infeasible_trial_score(trial) <= 0
    return cast(float, trial.values[0]) if is_feasible else np.nan


def _grown(values: Array, n: int) -> Array:
    """The same values with room for ``n``; twice as much, so that it is seldom made anew."""
    if n <= len(values):
        return values
    grown = np.empty(2 * n)
    grown[: len(values)] = values
    return grown
