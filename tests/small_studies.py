"""Studies in memory, of trials that have nothing but their states and values."""

import optuna
from optuna.trial import TrialState


def study_of(*states: TrialState) -> optuna.Study:
    study = optuna.create_study()
    for number, state in enumerate(states):
        value = float(number) if state is TrialState.COMPLETE else None
        study.add_trial(optuna.trial.create_trial(state=state, value=value))
    return study
