"""The pruner that a configuration names, and how it judges a trial of several folds.

The steps of such a trial count on from one fold to the next: the epochs of fold ``f`` are the steps
from ``f * steps_per_fold``; early stopping may leave a gap before the next fold. Optuna's pruners
read such a sequence as one training, which it is not.
"""

import copy
from typing import Any, Literal

import optuna
from omegaconf import DictConfig, OmegaConf
from optuna.pruners import (
    BasePruner,
    HyperbandPruner,
    MedianPruner,
    NopPruner,
    PatientPruner,
    SuccessiveHalvingPruner,
    WilcoxonPruner,
)
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial

from lightning_hpo.composition.instantiate import make
from lightning_hpo.errors import UserError
from lightning_hpo.strategies.replay import ReplayPruner


def make_pruner(node: DictConfig | Literal["auto"] | None, *, monitor: str) -> BasePruner:
    """The pruner that ``node`` names; None: one that never prunes; "auto": Optuna's default.

    ``monitor``: in its units are the bounds that a pruner may need.

    Raises:
        UserError: for one that has no value.
    """
    if not node:
        return NopPruner()
    if node == "auto":
        return MedianPruner()
    missing = [str(key) for key in node if OmegaConf.is_missing(node, key)]
    if missing:
        raise UserError(
            f"pruner.{missing[0]} must have a value; add pruner.{missing[0]}=..., in the units"
            f" of {monitor}, or null where another bound is given."
        )
    return make(node)


def over_folds(pruner: BasePruner, *, n_folds: int, steps_per_fold: int) -> BasePruner:
    """``pruner`` as it judges a trial of ``n_folds`` folds; itself where it needs no help."""
    # The Wilcoxon pruner compares fold by fold, its steps are folds; a replay knows the step.
    as_they_are = (NopPruner, WilcoxonPruner, ReplayPruner, WithinFold, AcrossFolds)
    if n_folds == 1 or isinstance(pruner, as_they_are):
        return pruner
    if _has_rungs(pruner):
        return AcrossFolds(pruner, steps_per_fold=steps_per_fold)
    return WithinFold(pruner, steps_per_fold=steps_per_fold)


class WithinFold(BasePruner):
    """Shows ``pruner`` the steps of the present fold alone, of every trial and counted from 0.

    The median, percentile and patient pruners judge a trial by its best value over all of its
    steps, so that a good first fold would shield a bad second one. Warm-up, intervals and patience
    count in each fold anew, since each fold is a training of its own. A trial that ended this fold
    early is, as in a trial of one fold, no standard for the steps that it did not reach.
    """

    def __init__(self, pruner: BasePruner, *, steps_per_fold: int) -> None:
        self.pruner = pruner
        self.steps_per_fold = steps_per_fold

    def prune(self, study: optuna.Study, trial: FrozenTrial) -> bool:
        if trial.last_step is None:
            return self.pruner.prune(study, trial)
        first = trial.last_step // self.steps_per_fold * self.steps_per_fold
        steps = range(first, first + self.steps_per_fold)
        storage: Any = _StorageOfFold(study._storage, steps)
        of_fold = optuna.Study(study.study_name, storage, sampler=study.sampler, pruner=self.pruner)
        return self.pruner.prune(of_fold, _restricted(trial, steps))


class AcrossFolds(BasePruner):
    """Successive halving and Hyperband over the epochs of all folds: these are their resource.

    A rung judges the value reported there and no earlier one, against other trials in the same
    epoch of the same fold, so no fold shields another, and a trial meets as many rungs as its total
    of epochs gives; rungs of each fold would halve the trials again in each. What remains is a fold
    that ended early: for the rungs that it did not reach its last value stands, not the first
    values of the next fold, whose network is yet untrained.
    """

    def __init__(self, pruner: BasePruner, *, steps_per_fold: int) -> None:
        self.pruner = pruner
        self.steps_per_fold = steps_per_fold

    def prune(self, study: optuna.Study, trial: FrozenTrial) -> bool:
        ended = self._ended_fold(trial)
        if ended is not None and self.pruner.prune(study, ended):
            return True
        # The pruner keeps the rungs that a trial has passed in the storage.
        fresh = copy.copy(trial)
        fresh.system_attrs = study._storage.get_trial(trial._trial_id).system_attrs
        return self.pruner.prune(study, fresh)

    def _ended_fold(self, trial: FrozenTrial) -> FrozenTrial | None:
        """The trial at the end of the fold before, at the first step of a new one."""
        last, *earlier = sorted(trial.intermediate_values, reverse=True) or [0]
        end = last // self.steps_per_fold * self.steps_per_fold - 1
        if not earlier or earlier[0] >= end:
            return None
        ended = copy.copy(trial)
        ended.intermediate_values = {s: trial.intermediate_values[s] for s in earlier}
        ended.intermediate_values[end] = trial.intermediate_values[earlier[0]]
        return ended


class _StorageOfFold:
    """A storage through which each trial has the values of ``steps`` alone, counted from 0."""

    def __init__(self, storage: BaseStorage, steps: range) -> None:
        self._storage = storage
        self._steps = steps

    def get_all_trials(self, *arguments: Any, **keywords: Any) -> list[FrozenTrial]:
        trials = self._storage.get_all_trials(*arguments, **keywords)
        return [_restricted(trial, self._steps) for trial in trials]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._storage, name)


def _restricted(trial: FrozenTrial, steps: range) -> FrozenTrial:
    values = trial.intermediate_values
    restricted = copy.copy(trial)
    restricted.intermediate_values = {s - steps.start: values[s] for s in values if s in steps}
    return restricted


def _has_rungs(pruner: BasePruner) -> bool:
    # Patience only opens the door to the pruner that it wraps, which decides.
    if isinstance(pruner, PatientPruner) and pruner._wrapped_pruner is not None:
        return _has_rungs(pruner._wrapped_pruner)
    return isinstance(pruner, SuccessiveHalvingPruner | HyperbandPruner)
