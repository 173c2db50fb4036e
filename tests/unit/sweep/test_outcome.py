"""What a study leaves behind, from literal folds and trials."""

import json
from datetime import datetime, timedelta
from pathlib import Path

import optuna
import pytest
from omegaconf import OmegaConf
from optuna.trial import TrialState

from lightning_hpo.errors import StudyFailed, UserError
from lightning_hpo.protocol import summaries
from lightning_hpo.protocol.folder import FinalFolder
from lightning_hpo.results import last_words, trials, written
from lightning_hpo.sweep import closing_report
from lightning_hpo.sweep.display.tally import Tally, tally_earlier


def fold(k: int, loss: float) -> dict:
    metrics = {"val/loss": loss, "train/loss": 0.0}
    return {"fold": k, "epochs": 3, "best_epoch": 2, "metrics": metrics}


def test_cross_validation_is_summarised_by_mean_and_sample_standard_deviation():
    found = summaries.cross_validation([fold(1, 0.5), fold(0, 0.25), fold(2, 0.75)], "val/loss")
    assert [f["fold"] for f in found["folds"]] == [0, 1, 2]
    assert found["folds"][0] == {"fold": 0, "epochs": 3, "best_epoch": 2, "val/loss": 0.25}
    assert (found["val/loss_mean"], found["val/loss_std"]) == (0.5, 0.25)
    assert "train/loss_mean" not in found


# Rule: a metric belongs to the stage that logged it, whatever its name, and the monitor is kept.
def test_the_metrics_of_a_cross_validation_are_those_that_its_validations_logged():
    metrics = {"loss": 0.5, "acc_val": 0.25, "MyLoss": 2.0, "val_trap": 1.0, "seconds": 9.0}
    stages = {"loss": "val", "acc_val": "val", "MyLoss": "train", "val_trap": "train"}
    folds = [fold(k, 0.0) | {"metrics": metrics, "stages": stages} for k in range(2)]
    found = summaries.cross_validation(folds, "loss")
    assert [name for name in found if name.endswith("_mean")] == ["acc_val_mean", "loss_mean"]
    assert summaries.cross_validation(folds, "MyLoss")["MyLoss_mean"] == 2.0
    single = folds[0] | {"val_fraction": 0.1, "last": metrics}
    assert list(summaries.holdout(single, "loss")["last"]) == sorted(stages)


# Rule: Lightning logs one value of a step and one of an epoch under three names; it counts once.
def test_a_metric_by_step_and_by_epoch_is_one_metric():
    names = ("val_loss", "val_loss_step", "val_loss_epoch")
    metrics = dict.fromkeys(names, 0.5)
    folds = [
        fold(k, 0.0) | {"metrics": metrics, "stages": dict.fromkeys(names, "val")} for k in range(2)
    ]
    found = summaries.cross_validation(folds, "val_loss")
    assert [name for name in found if name.endswith("_mean")] == ["val_loss_mean"]
    found = summaries.cross_validation(folds, "val_loss_epoch")
    assert found["val_loss_epoch_mean"] == 0.5


def test_the_fit_without_early_stopping_is_summarised_by_its_best_and_its_last_epoch():
    found = {"val_fraction": 0.1, "epochs": 9, "best_epoch": 4, "value": 0.5, "seconds": 1.0}
    metrics = {"train/loss": 0.5, "val/loss": 0.25, "n_parameters": 7.0}
    last = {"val/loss": 0.75, "train/loss": 0.125, "lr-Adam": 0.1}
    assert summaries.holdout(found | {"metrics": metrics, "last": last}, "val/loss") == {
        "val_fraction": 0.1,
        "epochs": 9,
        "best_epoch": 4,
        "val/loss": 0.25,
        "last": {"train/loss": 0.125, "val/loss": 0.75},
    }


# Rule: one refit's test is the result; of several it is their mean, with the sample deviation.
def test_the_test_result_is_the_mean_over_the_refits():
    one, other = {"test": {"test/accuracy": 0.5}}, {"test": {"test/accuracy": 1.0}}
    assert summaries.test_results([]) == {"test": None, "test_std": None, "no_test": None}
    alone = {"test": {"test/accuracy": 0.5}, "test_std": None, "no_test": None}
    assert summaries.test_results([one]) == alone
    both = summaries.test_results([one, other])
    assert both["test"] == {"test/accuracy": 0.75}
    assert both["test_std"]["test/accuracy"] == pytest.approx(0.125**0.5)
    untested = {"test": {}, "no_test": "Net has no test_step"}
    none = {"test": None, "test_std": None, "no_test": "Net has no test_step"}
    assert summaries.test_results([untested, untested]) == none


# Rule: a final job counts for the trial that it was done for; a single fold has no spread.
def test_the_final_job_of_another_trial_is_no_result_of_this_one(tmp_path):
    for name, found in (("fold_0", fold(0, 0.5)), ("refit", {"test": {"test/loss": 0.25}})):
        (tmp_path / name).mkdir()
        (tmp_path / name / "result.json").write_text(json.dumps(found))
    (tmp_path / "trial.json").write_text("12")
    found = written._final_results(FinalFolder(tmp_path), {12, None}, monitor="val/loss")
    assert (found["final_trial"], found["cv"]) == (12, None)
    assert found["test"] == {"test/loss": 0.25}
    other = written._final_results(FinalFolder(tmp_path), {33, None}, monitor="val/loss")
    assert other == {
        "final_trial": None,
        "cv": None,
        "holdout": None,
        "refits": [],
        "test": None,
        "test_std": None,
        "no_test": None,
    }
    # A baseline has no trials.
    (tmp_path / "trial.json").write_text("null")
    baseline = written._final_results(FinalFolder(tmp_path), {None}, monitor="val/loss")
    assert baseline["test"] == {"test/loss": 0.25}


def study_of(*states: TrialState) -> optuna.Study:
    study = optuna.create_study()
    for number, state in enumerate(states):
        value = float(number) if state is TrialState.COMPLETE else None
        study.add_trial(optuna.trial.create_trial(state=state, value=value))
    return study


# Rule: a resumed study knows from its first trials how long the rest will take.
def test_earlier_trials_count_with_the_time_that_they_took():
    study, start = optuna.create_study(), datetime(2026, 1, 1)
    for state, seconds in ((TrialState.COMPLETE, 40), (TrialState.PRUNED, 10)):
        trial = optuna.trial.create_trial(
            state=state, value=0.5 if state is TrialState.COMPLETE else None
        )
        trial.datetime_start, trial.datetime_complete = start, start + timedelta(seconds=seconds)
        study.add_trial(trial)
    tally = Tally(total=2, slots=1, monitor="val/loss", final_rounds=2, final_cost=1.5)
    assert tally.left_s() is None
    tally_earlier(study, tally)
    assert (tally.complete, tally.pruned, tally.best) == (1, 1, (0.5, 0))
    # Nothing left to search; two rounds of fits, each half as long again as the complete trial.
    assert tally.left_s() == 2 * 1.5 * 40


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


def test_the_plugins_file_is_written_also_when_nothing_completed(tmp_path):
    written.save_plugin_file(study_of(TrialState.PRUNED), tmp_path)
    found = OmegaConf.load(tmp_path / "optimization_results.yaml")
    assert (found.name, found.best_value, found.trials.pruned) == ("optuna", None, 1)


def test_several_objectives_are_written_as_a_pareto_front(tmp_path):
    study = optuna.create_study(directions=["minimize", "maximize"])
    for values in ([1.0, 1.0], [2.0, 2.0], [2.0, 0.0]):
        study.add_trial(optuna.trial.create_trial(values=values))
    written.save_plugin_file(study, tmp_path)
    found = OmegaConf.load(tmp_path / "optimization_results.yaml")
    assert [list(s["values"]) for s in found.solutions] == [[1.0, 1.0], [2.0, 2.0]]


@pytest.mark.parametrize(
    ("storage", "shown"),
    [
        (None, "sqlite:///s%3F/study.db"),
        ("postgresql://user:secret@host/db", "postgresql://user:***@host/db"),
        ("sqlite:///x.db", "sqlite:///x.db"),
        ({"_target_": "optuna.storages.InMemoryStorage"}, "optuna.storages.InMemoryStorage"),
    ],
)
def test_a_storage_is_shown_without_its_password(storage, shown, tmp_path):
    assert written.public(storage, Path("s?")) == shown


def test_the_command_for_more_trials_replaces_the_total():
    command = "python -m lightning_hpo +experiment=x study.n_trials=12"
    assert last_words._with_trials(command, 24) == (
        "python -m lightning_hpo +experiment=x study.n_trials=24"
    )


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


# Rule: figures and reports never cost a result.
def test_a_report_that_fails_costs_one_line(tmp_path, monkeypatch, capsys):
    def broken(study_dir, *, study):
        raise OverflowError("too large\nto draw")

    monkeypatch.setattr("lightning_hpo.report.study.page.build_report", broken)
    closing_report.report(tmp_path, study_of(TrialState.COMPLETE))
    (line,) = capsys.readouterr().err.splitlines()
    assert "the report could not be built (OverflowError: too large to draw)" in line
    assert f"python -m lightning_hpo.report {tmp_path}" in line
