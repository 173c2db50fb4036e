"""Trials by plain statements: what is read and stored is what Optuna's own storage has."""

from datetime import datetime

import optuna
import pytest
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState

TABLES = ("trials", "trial_params", "trial_user_attributes", "trial_system_attributes")
STARTED = datetime(2026, 1, 1)


@pytest.fixture
def stock(tmp_path):
    storage = RDBStorage(f"sqlite:///{tmp_path}/stock.db")
    yield storage
    storage.engine.dispose()


def rows(storage: RDBStorage) -> list[list[tuple]]:
    with storage.engine.connect() as connection:
        return [connection.exec_driver_sql(f"SELECT * FROM {t}").fetchall() for t in TABLES]


def template(state: TrialState) -> FrozenTrial:
    distributions: dict[str, BaseDistribution] = {
        "lr": FloatDistribution(1e-4, 1.0, log=True),
        "width": IntDistribution(4, 64, step=4),
        "optimizer": CategoricalDistribution(["sgd", "adam", None]),
    }
    return FrozenTrial(
        number=-1,
        state=state,
        value=0.25 if state is TrialState.COMPLETE else None,
        datetime_start=None if state is TrialState.WAITING else STARTED,
        datetime_complete=STARTED if state is TrialState.COMPLETE else None,
        params={"lr": 0.1, "width": 32, "optimizer": None},
        distributions=distributions,
        user_attrs={"owner": "me", "tries": 2},
        system_attrs={"fixed_params": {"lr": 0.1}},
        intermediate_values={0: 0.5} if state is TrialState.COMPLETE else {},
        trial_id=-1,
    )


def test_the_rows_of_a_trial_are_those_of_optunas_own_storage(embedded, stock):
    for storage in (embedded, stock):
        study = optuna.create_study(study_name="same", storage=storage)
        for state in (TrialState.RUNNING, TrialState.WAITING, TrialState.COMPLETE):
            storage.create_new_trial(study._study_id, template(state))
    assert rows(embedded) == rows(stock)
    assert embedded.get_all_trials(1) == stock.get_all_trials(1)


# Rule: any reader finds in the file what we find, whatever was told, reported or left out.
def test_trials_are_read_as_optunas_own_storage_reads_them(embedded):
    study = optuna.create_study(storage=embedded, directions=["minimize", "maximize"])
    for state in (TrialState.RUNNING, TrialState.WAITING, TrialState.COMPLETE):
        embedded.create_new_trial(study._study_id, template(state))
    told = embedded.create_new_trial(study._study_id, template(TrialState.RUNNING))
    for step, value in enumerate((0.1 + 0.2, float("inf"), -float("inf"))):
        embedded.set_trial_intermediate_value(told, 2 - step, value)
    embedded.set_trial_state_values(told, TrialState.COMPLETE, [float("inf"), 1 / 3])
    other = RDBStorage(str(embedded.engine.url))
    found = embedded.get_all_trials(study._study_id)
    assert [t.number for t in found] == [0, 1, 2, 3]
    assert found == other.get_all_trials(study._study_id)
    assert found == [other.get_trial(t._trial_id) for t in found]
    assert found == [embedded.get_trial(t._trial_id) for t in found]
    waiting = (TrialState.WAITING,)
    assert embedded.get_all_trials(1, states=waiting) == other.get_all_trials(1, states=waiting)
    assert embedded._get_trials(1, None, {1}, 2) == other._get_trials(1, None, {1}, 2) != []
    other.engine.dispose()


# Rule: what is not there raises as Optuna's own storage does.
def test_a_trial_or_a_study_that_is_gone_is_an_error(embedded):
    with pytest.raises(KeyError):
        embedded.get_trial(7)
    with pytest.raises(KeyError):
        embedded.get_all_trials(7)
    with pytest.raises(KeyError):
        embedded.create_new_trial(7, template(TrialState.RUNNING))


# Rule: of two that end a trial the first one counts, and the other is told.
def test_a_trial_ends_once(embedded):
    study = optuna.create_study(storage=embedded)
    trial = study.ask()
    assert embedded.set_trial_state_values(trial._trial_id, TrialState.COMPLETE, [0.5])
    with pytest.raises(UpdateFinishedTrialError):
        embedded.set_trial_state_values(trial._trial_id, TrialState.FAIL, [0.1])
    (found,) = embedded.get_all_trials(study._study_id)
    assert (found.state, found.value) == (TrialState.COMPLETE, 0.5)
    assert found.datetime_start <= found.datetime_complete <= datetime.now()
    with pytest.raises(KeyError):
        embedded.set_trial_state_values(7, TrialState.FAIL)


# Rule: a value that is no number may be reported, and is read back as one.
def test_a_reported_nan_is_read_as_nan(embedded):
    study = optuna.create_study(storage=embedded)
    trial = study.ask()
    trial.report(float("nan"), step=1)
    (value,) = embedded.get_trial(trial._trial_id).intermediate_values.values()
    assert value != value
