"""Asking for a trial: drafted in memory, it enters the storage whole, in one write.

Optuna's ``ask`` writes an empty trial and then each parameter and attribute on its own, some twenty
transactions and reads. Here the sampler sees a draft beside the stored trials; what it suggests is
stored together with the owner and all else. A kill in between leaves nothing behind.
"""

import copy
from collections.abc import Callable, Container, Mapping, Sequence
from datetime import datetime
from typing import Any, cast

import optuna
from optuna.distributions import BaseDistribution, check_distribution_compatibility
from optuna.storages import BaseStorage, InMemoryStorage, RDBStorage
from optuna.storages._cached_storage import _CachedStorage
from optuna.trial import FrozenTrial, Trial, TrialState

from lightning_hpo.sweep.fleet import row_lock

Suggest = Callable[[Trial], None]


def ask(
    study: optuna.Study,
    trials: Sequence[FrozenTrial],
    *,
    suggest: Suggest,
    user_attrs: Mapping[str, Any],
    open_trials: Sequence[FrozenTrial] | None = None,
) -> FrozenTrial:
    """The next trial, running, with its parameters and ``user_attrs``.

    ``trials``: all that the study has by now; nobody else may add one until this returns. Where
    that cannot be promised, and for a trial that waits in the queue, Optuna's own way is taken.
    ``open_trials``: those of them that may still wait there; None: any.
    """
    may_wait = trials if open_trials is None else open_trials
    waiting = any(trial.state is TrialState.WAITING for trial in may_wait)
    if waiting or not _one_writer_at_a_time(study._storage):
        return _ask_step_by_step(study, suggest, user_attrs)
    drafting = copy.copy(study)
    view = _StoredAndDraft(study._storage, trials, _draft(len(trials), user_attrs))
    drafting._storage = cast(BaseStorage, view)
    suggest(Trial(drafting, view.draft._trial_id))
    view.draft.datetime_start = datetime.now()
    return _stored(study, view.draft)


def _stored(study: optuna.Study, draft: FrozenTrial) -> FrozenTrial:
    storage, study_id = study._storage, study._study_id
    draft._trial_id = storage.create_new_trial(study_id, draft)
    if storage.get_trial_id_from_study_id_trial_number(study_id, draft.number) != draft._trial_id:
        # Another tool, which knows nothing of our lock, has queued a trial meanwhile.
        draft.number = storage.get_trial_number_from_id(draft._trial_id)
    return draft


def _one_writer_at_a_time(storage: BaseStorage) -> bool:
    # On one machine the owners' lock sees to it, elsewhere that of a database which has one; a
    # draft's number is then that of its trial.
    if isinstance(storage, _CachedStorage):
        storage = storage._backend
    if isinstance(storage, RDBStorage):
        return storage.engine.dialect.name in ("sqlite", *row_lock.DIALECTS)
    return isinstance(storage, InMemoryStorage)


def _ask_step_by_step(
    study: optuna.Study, suggest: Suggest, user_attrs: Mapping[str, Any]
) -> FrozenTrial:
    trial = study.ask()
    # The owner first: without it, the trial is taken for one that has lost its own.
    for name, value in user_attrs.items():
        trial.set_user_attr(name, value)
    suggest(trial)
    return study._storage.get_trial(trial._trial_id)


def _draft(number: int, user_attrs: Mapping[str, Any]) -> FrozenTrial:
    return FrozenTrial(
        number=number,
        trial_id=-1,
        state=TrialState.RUNNING,
        value=None,
        datetime_start=datetime.now(),
        datetime_complete=None,
        params={},
        distributions={},
        user_attrs=dict(user_attrs),
        system_attrs={},
        intermediate_values={},
    )


class _StoredAndDraft:
    """A storage with one trial more, which is written to memory alone; all else is passed on."""

    # Optuna's own: they ask ``get_trial``, which knows the draft.
    get_trial_number_from_id = BaseStorage.get_trial_number_from_id
    get_trial_param = BaseStorage.get_trial_param
    get_trial_params = BaseStorage.get_trial_params
    get_trial_user_attrs = BaseStorage.get_trial_user_attrs
    get_trial_system_attrs = BaseStorage.get_trial_system_attrs

    def __init__(
        self, storage: BaseStorage, trials: Sequence[FrozenTrial], draft: FrozenTrial
    ) -> None:
        self._storage = storage
        self._trials = [*trials, draft]
        self.draft = draft

    def __getattr__(self, name: str) -> Any:
        return getattr(self._storage, name)

    def get_trial(self, trial_id: int) -> FrozenTrial:
        return self.draft if trial_id == self.draft._trial_id else self._storage.get_trial(trial_id)

    def get_all_trials(
        self,
        study_id: int,
        deepcopy: bool = True,
        states: Container[TrialState] | None = None,
    ) -> list[FrozenTrial]:
        found = [t for t in self._trials if states is None or t.state in states]
        return copy.deepcopy(found) if deepcopy else found

    def set_trial_param(
        self, trial_id: int, name: str, internal: float, distribution: BaseDistribution
    ) -> None:
        assert trial_id == self.draft._trial_id
        earlier = next((t for t in self._trials if name in t.distributions), None)
        if earlier is not None:
            check_distribution_compatibility(earlier.distributions[name], distribution)
        self.draft.distributions[name] = distribution
        self.draft.params[name] = distribution.to_external_repr(internal)

    def set_trial_user_attr(self, trial_id: int, key: str, value: Any) -> None:
        assert trial_id == self.draft._trial_id
        self.draft.user_attrs[key] = value

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        assert trial_id == self.draft._trial_id
        self.draft.system_attrs[key] = value
