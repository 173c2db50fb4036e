"""A trial enters the storage whole; where that cannot be promised, in Optuna's own way."""

from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.distributions import FloatDistribution
from optuna.storages import InMemoryStorage, JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import Trial, TrialState, create_trial

from lightning_hpo.sweep.search.asking import ask

ATTRIBUTES = {"owner": "me", "slot": 1}


def suggest(trial: Trial) -> None:
    trial.suggest_float("x", 0.0, 1.0)
    if trial.suggest_categorical("kind", ["sgd", "adam"]) == "sgd":
        trial.suggest_float("momentum", 0.5, 0.9)
    trial.set_user_attr("seen", trial.number)


def study_in(storage: Any) -> optuna.Study:
    return optuna.create_study(storage=storage, sampler=optuna.samplers.RandomSampler(seed=0))


def asked(study: optuna.Study, **options: Any) -> optuna.trial.FrozenTrial:
    trials = study.get_trials(deepcopy=False)
    return ask(study, trials, suggest=suggest, user_attrs=ATTRIBUTES, **options)


@pytest.fixture(params=["memory", "sqlite", "journal"])
def study(request: pytest.FixtureRequest, tmp_path: Path) -> optuna.Study:
    storage: Any = {
        "memory": InMemoryStorage,
        "sqlite": lambda: f"sqlite:///{tmp_path / 'study.db'}",
        "journal": lambda: JournalStorage(JournalFileBackend(str(tmp_path / "study.log"))),
    }[request.param]()
    return study_in(storage)


# Rule: what is asked for is what the storage has, running, with all that belongs to it.
def test_a_trial_is_stored_with_its_parameters_and_attributes(study: optuna.Study) -> None:
    for number in range(3):
        trial = asked(study)
        (stored,) = (t for t in study.get_trials() if t.number == number)
        assert (trial.number, trial._trial_id) == (number, stored._trial_id)
        assert trial.params == stored.params
        assert trial.distributions == stored.distributions
        assert stored.user_attrs == {**ATTRIBUTES, "seen": number}
        assert stored.state is TrialState.RUNNING
        assert stored.datetime_start is not None
        assert ("momentum" in stored.params) == (stored.params["kind"] == "sgd")


# Rule: it can be told like any other.
def test_a_trial_that_was_asked_for_can_be_told(study: optuna.Study) -> None:
    trial = asked(study)
    study.tell(trial.number, 0.5)
    assert study.best_trial.number == trial.number
    assert study.best_params == trial.params


# Rule: the sampler sees the trials that ended before, as with Optuna's own way.
def test_the_sampler_learns_from_what_was_told() -> None:
    def told(ask_once: Any) -> list[dict[str, Any]]:
        sampler = optuna.samplers.TPESampler(seed=1, n_startup_trials=2)
        study = optuna.create_study(sampler=sampler)
        found = []
        for value in (0.3, 0.1, 0.2, 0.5):
            number, params = ask_once(study)
            found.append(params)
            study.tell(number, value)
        return found

    def ours(study: optuna.Study) -> tuple[int, dict[str, Any]]:
        trial = asked(study)
        return trial.number, trial.params

    def optunas(study: optuna.Study) -> tuple[int, dict[str, Any]]:
        trial = study.ask()
        suggest(trial)
        return trial.number, trial.params

    assert told(ours) == told(optunas)


# Rule: a failure in between leaves nothing behind.
def test_a_suggestion_that_fails_leaves_no_trial() -> None:
    study = study_in(InMemoryStorage())

    def failing(trial: Trial) -> None:
        trial.suggest_float("x", 0.0, 1.0)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        ask(study, [], suggest=failing, user_attrs=ATTRIBUTES)
    assert study.get_trials() == []


# Rule: a trial that waits in the queue comes first, with the parameters that it was queued with.
def test_a_queued_trial_is_taken_before_another_is_drafted(study: optuna.Study) -> None:
    study.enqueue_trial({"x": 0.125, "kind": "adam"})
    trial = asked(study)
    assert (trial.number, trial.params) == (0, {"x": 0.125, "kind": "adam"})
    assert trial.user_attrs == {**ATTRIBUTES, "seen": 0}
    assert [t.state for t in study.get_trials()] == [TrialState.RUNNING]


# Rule: who knows which trials may still wait spares looking at all of them.
def test_only_open_trials_are_looked_at_where_they_are_known() -> None:
    study = study_in(InMemoryStorage())
    study.enqueue_trial({"x": 0.125, "kind": "adam"})
    trial = asked(study, open_trials=[])
    assert trial.number == 1
    assert study.get_trials()[0].state is TrialState.WAITING


# Rule: a number that another tool takes in the meantime is not ours; the trial gets the next.
def test_a_trial_that_somebody_adds_meanwhile_does_not_share_its_number() -> None:
    study = study_in(InMemoryStorage())
    before = study.get_trials(deepcopy=False)
    study.add_trial(create_trial(state=TrialState.COMPLETE, value=1.0))
    trial = ask(study, before, suggest=suggest, user_attrs=ATTRIBUTES)
    assert trial.number == 1
    assert study.get_trials()[1].params == trial.params


# Rule: Optuna keeps a parameter's kind the same over a study, and so does a draft.
def test_a_parameter_keeps_its_kind() -> None:
    study = study_in(InMemoryStorage())
    study.add_trial(
        create_trial(params={"kind": 0.5}, distributions={"kind": FloatDistribution(0, 1)}, value=1)
    )
    with pytest.raises(ValueError, match="Cannot set different distribution kind"):
        asked(study)
    assert len(study.get_trials()) == 1
