"""Trials in a database of a server by plain statements: what Optuna's own storage has."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.exceptions import UpdateFinishedTrialError
from optuna.samplers import RandomSampler
from optuna.storages import RDBStorage, get_storage
from optuna.trial import FrozenTrial, TrialState, create_trial

from lightning_hpo.storage.plain import PlainStorage
from lightning_hpo.sweep.search.asking import ask

pytestmark = pytest.mark.sweep


@pytest.fixture
def storages(server_url: str) -> Iterator[tuple[PlainStorage, RDBStorage]]:
    ours, stock = PlainStorage(server_url), RDBStorage(server_url)
    yield ours, stock
    ours.engine.dispose()
    stock.engine.dispose()


STARTED = datetime(2026, 1, 1)
DISTRIBUTIONS = {
    "lr": FloatDistribution(1e-4, 1.0, log=True),
    "width": IntDistribution(4, 64, step=4),
    "optimizer": CategoricalDistribution(["sgd", "adam", None]),
}


def fill(study: optuna.Study) -> None:
    """A trial in each state; values, reports and choices of every kind."""
    for _ in range(3):
        trial = study.ask()
        trial.suggest_float("lr", 1e-4, 1.0, log=True)
        trial.suggest_int("width", 4, 64, step=4)
        trial.suggest_categorical("optimizer", ["sgd", "adam", None])
        for step, value in enumerate((0.1 + 0.2, float("inf"), -float("inf"))):
            trial.report(value, 2 - step)
        trial.set_user_attr("owner", {"name": "me", "ränge": [1, None]})
    study.tell(0, float("inf"))
    study.tell(1, state=TrialState.FAIL)
    study.enqueue_trial({"lr": 0.1})
    study.add_trial(
        create_trial(
            value=1 / 3,
            params={"lr": 0.1, "width": 8, "optimizer": None},
            distributions=DISTRIBUTIONS,
        )
    )


def test_trials_are_what_optunas_own_storage_reads(storages):
    ours, stock = storages
    study = optuna.create_study(storage=stock)
    study.sampler = optuna.samplers.RandomSampler(seed=0)
    # Another study's trials lie between its own.
    other = optuna.create_study(storage=stock)
    for each in (study, other, study):
        if not each.trials:
            fill(each)
    study_id, found = study._study_id, ours.get_all_trials(study._study_id)
    states = [t.state.name for t in found]
    assert states == ["COMPLETE", "FAIL", "RUNNING", "WAITING", "COMPLETE"]
    assert found == stock.get_all_trials(study_id)
    assert found == [ours.get_trial(t._trial_id) for t in found]
    assert abs((found[0].datetime_start - datetime.now()).total_seconds()) < 600
    running = (TrialState.RUNNING,)
    assert ours.get_all_trials(study_id, states=running) == [found[2]]
    ids = {found[1]._trial_id}
    assert ours._get_trials(study_id, None, ids, found[3]._trial_id) == [found[1], found[4]]
    assert ours._get_trials(study_id, None, set(), found[4]._trial_id) == []


def test_a_trial_or_a_study_that_is_gone_is_an_error(storages):
    ours, _ = storages
    with pytest.raises(KeyError):
        ours.get_trial(7)
    with pytest.raises(KeyError):
        ours.get_all_trials(7)
    with pytest.raises(KeyError):
        ours.create_new_trial(7, draft())
    with pytest.raises(KeyError):
        ours.set_trial_state_values(7, TrialState.FAIL)


def draft() -> FrozenTrial:
    """A trial that runs, with quotes, per cent and question marks where a user may have them."""
    trial = create_trial(
        state=TrialState.RUNNING,
        params={"lr": 0.1, "width": 32, "optimizer": None},
        distributions=DISTRIBUTIONS,
        user_attrs={"owner": "it's 100 % me?", "tries": 2},
        system_attrs={"fixed_params": {"lr": 0.1}},
    )
    trial.datetime_start = STARTED
    return trial


# Rule: another tool finds the same trial, whichever of the two stored and ended it.
def test_a_trial_is_stored_and_ended_as_optunas_own_storage_does_it(storages):
    ours, stock = storages
    found = []
    for storage in (ours, stock):
        study_id = optuna.create_study(storage=stock, directions=["minimize"] * 2)._study_id
        for values in ([float("inf"), 1 / 3], None):
            trial_id = storage.create_new_trial(study_id, draft())
            state = TrialState.FAIL if values is None else TrialState.COMPLETE
            assert storage.set_trial_state_values(trial_id, state, values)
        storage.create_new_trial(study_id, draft())
        found.append(stock.get_all_trials(study_id))
    for a, b in zip(*found, strict=True):
        assert (a.datetime_complete is None) == (b.datetime_complete is None)
        if a.datetime_complete is not None:
            assert abs((a.datetime_complete - b.datetime_complete).total_seconds()) < 60
        b._trial_id, b.datetime_complete = a._trial_id, a.datetime_complete
        assert a == b
    assert [t.number for t in found[0]] == [0, 1, 2]
    assert found[0][0].values == [float("inf"), 1 / 3]


def test_a_trial_ends_once(storages):
    ours, stock = storages
    study_id = optuna.create_study(storage=stock)._study_id
    trial_id = ours.create_new_trial(study_id, draft())
    assert ours.set_trial_state_values(trial_id, TrialState.COMPLETE, [0.5])
    with pytest.raises(UpdateFinishedTrialError):
        ours.set_trial_state_values(trial_id, TrialState.FAIL)
    assert stock.get_trial(trial_id).value == 0.5


# Rule: where the lock is the database's, a draft is stored in one write, under the number it had.
def test_a_trial_that_is_asked_for_enters_whole(storages):
    ours, stock = storages
    study = optuna.create_study(storage=get_storage(ours), sampler=RandomSampler(seed=0))
    numbers: list[int] = []

    def suggest(trial: optuna.Trial) -> None:
        numbers.append(trial.number)
        trial.suggest_float("lr", 1e-4, 1.0, log=True)
        assert len(stock.get_all_trials(study._study_id)) == trial.number

    asked = [
        ask(study, study.get_trials(), suggest=suggest, user_attrs={"owner": "me"})
        for _ in range(3)
    ]
    found = stock.get_all_trials(study._study_id)
    assert numbers == [t.number for t in found] == [0, 1, 2]
    assert [t._trial_id for t in asked] == [t._trial_id for t in found]
    assert [(t.params, t.user_attrs) for t in asked] == [(t.params, t.user_attrs) for t in found]


# Rule: numbers have no gaps and no twins, also without a lock around.
def test_trials_that_are_added_at_once_have_numbers_of_their_own(server_url):
    first = PlainStorage(server_url)
    study_id = optuna.create_study(storage=first)._study_id
    each = [first, *(PlainStorage(server_url) for _ in range(3))]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda k: each[k % 4].create_new_trial(study_id, draft()), range(40)))
    assert sorted(t.number for t in first.get_all_trials(study_id)) == list(range(40))
    for storage in each:
        storage.engine.dispose()
