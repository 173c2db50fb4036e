"""``study.replay=STUDY_DIR``: the recorded trials again, whatever the timing of the slots.

With several slots a suggestion depends on which trials had been told by then, and a pruner's word
on which had reported. A replay takes both from the record: each trial number gets its recorded
parameters, and with the trial's own seed its values follow; a pruned trial ends where it ended.
"""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from lightning_hpo.errors import UserError, one_line
from lightning_hpo.storage.recorded import recorded_trials


@lru_cache(maxsize=4)
def _recorded(study_dir: str) -> tuple[FrozenTrial, ...]:
    try:
        return tuple(recorded_trials(Path(study_dir)))
    except UserError as error:
        raise UserError(f"study.replay={study_dir}: {one_line(error)}") from None


class ReplaySampler(BaseSampler):
    """Suggests what the trial of the same number was given."""

    def __init__(self, study_dir: str) -> None:
        self._trials = _recorded(study_dir)

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        return self._recorded(trial).distributions

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: Mapping[str, BaseDistribution]
    ) -> dict[str, Any]:
        return self._recorded(trial).params

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        known = sorted(self._recorded(trial).params)
        raise UserError(
            f"a replay must search what was recorded, but trial {trial.number} needs"
            f" {param_name} in {param_distribution} and has {known}."
        )

    def _recorded(self, trial: FrozenTrial) -> FrozenTrial:
        if trial.number >= len(self._trials):
            raise UserError(
                f"a replay must not be longer than its record, which has {len(self._trials)}"
                f" trials; lower study.n_trials."
            )
        return self._trials[trial.number]


class ReplayPruner(BasePruner):
    """Prunes a trial at the step at which it was pruned, and no other."""

    def __init__(self, study_dir: str) -> None:
        self._trials = _recorded(study_dir)

    def prune(self, study: Study, trial: FrozenTrial) -> bool:
        recorded = self._trials[trial.number]
        return recorded.state is TrialState.PRUNED and trial.last_step == recorded.last_step
