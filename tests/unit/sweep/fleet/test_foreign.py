"""Trials of other programs in our study are neither closed nor waited for."""

from datetime import datetime, timedelta

from optuna.distributions import FloatDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from lightning_hpo.sweep.fleet.foreign import is_foreign


def running(*, age_s: float = 60.0, **more) -> FrozenTrial:
    trial = create_trial(state=TrialState.RUNNING, **more)
    trial.datetime_start = datetime.now() - timedelta(seconds=age_s)
    return trial


def test_a_trial_with_parameters_and_no_owner_is_another_programs():
    x = {"params": {"x": 0.5}, "distributions": {"x": FloatDistribution(0, 1)}}
    assert is_foreign(running(**x))
    assert not is_foreign(running(**x, user_attrs={"owner": "host:/lock"}))


def test_an_empty_one_is_ours_when_nobody_can_be_about_to_fill_it():
    assert not is_foreign(running())
    assert is_foreign(running(age_s=0.0))
    # Ours alone are asked for again by the queue.
    assert not is_foreign(running(age_s=0.0, system_attrs={"fixed_params": {"x": 0.5}}))
