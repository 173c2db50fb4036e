"""Which trials count, and which one the final job takes, in studies of literal states."""

import optuna
import pytest
from optuna.trial import TrialState
from small_studies import study_of

from lightning_hpo.errors import StudyFailed, UserError
from lightning_hpo.results import trials


def test_a_mistake_of_the_configuration_takes_no_place_in_the_total():
    study = study_of(TrialState.COMPLETE, TrialState.FAIL)
    attributes = {"failure": "no such metric", "mistake": True}
    study.add_trial(optuna.trial.create_trial(state=TrialState.FAIL, user_attrs=attributes))
    assert trials.counts(study) == {"complete": 1, "pruned": 0, "failed": 1, "total": 2}


def test_a_retried_trial_counts_in_the_one_that_replaced_it():
    study = study_of(TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
    retried = optuna.trial.create_trial(state=TrialState.FAIL, user_attrs={"retried": True})
    study.add_trial(retried)
    assert trials.counts(study) == {"complete": 1, "pruned": 1, "failed": 1, "total": 3}


def test_the_final_job_takes_the_best_trial_or_the_one_asked_for():
    study = study_of(TrialState.COMPLETE, TrialState.COMPLETE, TrialState.PRUNED)
    assert trials.chosen_trial(study, None).number == 0
    assert trials.chosen_trial(study, 1).number == 1
    with pytest.raises(UserError, match=r"must be a complete trial, got 2; there are \[0, 1\]"):
        trials.chosen_trial(study, 2)


def test_a_study_without_a_complete_trial_is_a_failure_that_says_why():
    study = study_of(TrialState.PRUNED)
    reason = {"failure": "ZeroDivisionError: by zero"}
    study.add_trial(optuna.trial.create_trial(state=TrialState.FAIL, user_attrs=reason))
    with pytest.raises(StudyFailed) as caught:
        trials.require_a_complete_trial(study)
    assert str(caught.value) == (
        "at least one trial must complete, but of 2 1 were pruned and 1 failed."
        " The last failure: ZeroDivisionError: by zero."
    )
    trials.require_a_complete_trial(study_of(TrialState.COMPLETE, TrialState.PRUNED))


def test_a_search_without_a_trial_has_failed():
    with pytest.raises(StudyFailed, match="none was started"):
        trials.require_a_complete_trial(study_of())


# Rule: a trial that there is must be complete, or not finished; one that there is not must be among
# those to come.
@pytest.mark.parametrize(("number", "to_come"), [(0, 0), (2, 0), (3, 1), (5, 3)])
def test_a_trial_that_the_final_job_can_take(number, to_come):
    study = study_of(TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING)
    trials.check_final_trial(study, number, to_come=to_come)


@pytest.mark.parametrize(("number", "to_come"), [(1, 9), (3, 0), (7, 4), (3, -2)])
def test_a_trial_that_the_final_job_cannot_take_is_refused_before_the_search(number, to_come):
    study = study_of(TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING)
    with pytest.raises(UserError, match=rf"got {number}; there are \[0\]"):
        trials.check_final_trial(study, number, to_come=to_come)


def contender(value: float, x: float, **attributes: object) -> optuna.trial.FrozenTrial:
    space = {"x": optuna.distributions.FloatDistribution(0, 1)}
    return optuna.trial.create_trial(
        params={"x": x}, distributions=space, value=value, user_attrs=attributes
    )


# Rule: of the same parameters only the best trial counts; a mean over some folds does not.
def test_the_contenders_are_whole_trials_with_parameters_of_their_own():
    study = optuna.create_study()
    inf = float("inf")
    study.add_trials([contender(0.5, 0.1), contender(0.25, 0.2), contender(0.375, 0.1)])
    study.add_trials([contender(0.125, 0.3, stopped_after_fold=1), contender(inf, 0.4)])
    assert [trial.number for trial in trials.contenders(study)] == [1, 2]
    of_two = optuna.create_study(directions=["minimize", "maximize"])
    of_two.add_trial(optuna.trial.create_trial(values=[1.0, 1.0]))
    assert trials.contenders(of_two) == []


# Rule: a dashboard's axes are called as the objectives are, also after these were renamed.
def test_objectives_have_their_names() -> None:
    study = optuna.create_study(directions=["minimize", "maximize"])
    for names in (["val/loss", "seconds"], ["val/loss", "val/accuracy"]):
        trials.name_objectives(study, names)
        attributes = study._storage.get_study_system_attrs(study._study_id)
        assert attributes["study:metric_names"] == names
