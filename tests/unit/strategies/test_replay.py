"""A replay gives each trial its recorded parameters and ends it where it ended."""

import optuna
import pytest
from optuna.pruners import MedianPruner
from optuna.samplers import TPESampler
from optuna.trial import TrialState

from lightning_hpo.errors import UserError
from lightning_hpo.strategies.replay import ReplayPruner, ReplaySampler


def run(study: optuna.Study, n_trials: int) -> None:
    """Trials with a conditional parameter; values fall with each step and rise with x."""
    for _ in range(n_trials):
        trial = study.ask()
        x = trial.suggest_float("x", 0, 1)
        if trial.suggest_categorical("kind", ["a", "b"]) == "a":
            x += trial.suggest_float("y", 0, 1)
        state, values = TrialState.COMPLETE, [x]
        for step in range(4):
            trial.report(x + 3 - step, step)
            if trial.should_prune():
                state, values = TrialState.PRUNED, None
                break
        study.tell(trial, values, state=state)


def essence(study: optuna.Study) -> list[tuple]:
    return [(t.number, t.state, t.params, t.intermediate_values, t.value) for t in study.trials]


@pytest.fixture
def recorded(tmp_path) -> optuna.Study:
    study = optuna.create_study(
        study_name="recorded",
        storage=f"sqlite:///{tmp_path}/study.db",
        sampler=TPESampler(seed=0),
        pruner=MedianPruner(n_startup_trials=2, n_warmup_steps=1),
    )
    run(study, 10)
    assert {t.state for t in study.trials} == {TrialState.COMPLETE, TrialState.PRUNED}
    return study


def test_a_replay_reproduces_parameters_states_and_values(recorded, tmp_path):
    replay = optuna.create_study(
        sampler=ReplaySampler(str(tmp_path)), pruner=ReplayPruner(str(tmp_path))
    )
    run(replay, 10)
    assert essence(replay) == essence(recorded)


def test_a_replay_is_not_longer_than_its_record(recorded, tmp_path):
    replay = optuna.create_study(
        sampler=ReplaySampler(str(tmp_path)), pruner=ReplayPruner(str(tmp_path))
    )
    run(replay, 10)
    with pytest.raises(UserError, match=r"which has 10 trials; lower study\.n_trials"):
        run(replay, 1)


def test_a_parameter_that_was_not_recorded_is_refused(recorded, tmp_path):
    replay = optuna.create_study(sampler=ReplaySampler(str(tmp_path)))
    with pytest.raises(UserError, match="trial 0 needs z"):
        replay.ask().suggest_float("z", 0, 1)


def test_a_folder_without_a_study_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"study.replay=.*a study must have run in its folder"):
        ReplaySampler(str(tmp_path / "nowhere"))
