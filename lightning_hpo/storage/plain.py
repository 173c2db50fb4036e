"""Optuna's storage in a database, with plain statements for what a controller does most.

It reads all trials that run before it asks for the next one, adds that one, and ends it: while it
does so it keeps all other controllers waiting.
"""

from collections.abc import Container, Sequence

from optuna.storages import RDBStorage
from optuna.storages._rdb.storage import _create_scoped_session
from optuna.trial import FrozenTrial, TrialState

from lightning_hpo.storage import rows

DIALECTS = ("sqlite", "postgresql", "mysql", "mariadb")


class PlainStorage(RDBStorage):
    """What is read and stored is what Optuna's own would read and store."""

    def _create_new_trial(
        self, study_id: int, template_trial: FrozenTrial | None = None
    ) -> FrozenTrial:
        if template_trial is None or template_trial.state.is_finished():
            return super()._create_new_trial(study_id, template_trial)
        with _create_scoped_session(self.scoped_session) as session:
            return rows.add(session.connection(), study_id, template_trial)

    def set_trial_state_values(
        self, trial_id: int, state: TrialState, values: Sequence[float] | None = None
    ) -> bool:
        if not state.is_finished():
            return super().set_trial_state_values(trial_id, state, values)
        with _create_scoped_session(self.scoped_session) as session:
            before = rows.end(session.connection(), trial_id, state, values)
        if before is not None:
            self.check_trial_is_updatable(trial_id, before)
        return True

    def get_trial(self, trial_id: int) -> FrozenTrial:
        with _create_scoped_session(self.scoped_session) as session:
            return rows.trial(session.connection(), trial_id)

    def _get_trials(
        self,
        study_id: int,
        states: Container[TrialState] | None,
        included_trial_ids: set[int],
        trial_id_greater_than: int,
    ) -> list[FrozenTrial]:
        wanted = None if states is None else [state for state in TrialState if state in states]
        with _create_scoped_session(self.scoped_session) as session:
            connection = session.connection()
            return rows.trials(
                connection, study_id, wanted, included_trial_ids, trial_id_greater_than
            )
