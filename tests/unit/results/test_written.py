"""What a study leaves behind, from literal folds and trials."""

import json
from pathlib import Path

import optuna
import pytest
from omegaconf import OmegaConf
from optuna.trial import TrialState
from small_studies import study_of

from lightning_hpo.protocol.folder import FinalFolder
from lightning_hpo.results import written


def fold(k: int, loss: float) -> dict:
    metrics = {"val/loss": loss, "train/loss": 0.0}
    return {"fold": k, "epochs": 3, "best_epoch": 2, "metrics": metrics}


# Rule: a final job counts for the trial that it was done for; a single fold has no spread.
def test_the_final_job_of_another_trial_is_no_result_of_this_one(tmp_path):
    refit = {"test": {"test/loss": 0.25}, "data_description": {"shape": [8]}}
    for name, found in (("fold_0", fold(0, 0.5)), ("refit", refit)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "result.json").write_text(json.dumps(found))
    (tmp_path / "trial.json").write_text("12")
    found = written._final_results(FinalFolder(tmp_path), {12, None}, monitor="val/loss")
    assert (found["final_trial"], found["cv"]) == (12, None)
    assert found["test"] == {"test/loss": 0.25}
    assert (found["data_description"], found["refits"]) == (
        {"shape": [8]},
        [{"test": {"test/loss": 0.25}}],
    )
    other = written._final_results(FinalFolder(tmp_path), {33, None}, monitor="val/loss")
    assert other == {
        "final_trial": None,
        "cv": None,
        "holdout": None,
        "refits": [],
        "test": None,
        "test_std": None,
        "no_test": None,
        "ensemble": None,
        "calibration": None,
        "data_description": None,
        "trivial": None,
    }
    # A baseline has no trials.
    (tmp_path / "trial.json").write_text("null")
    baseline = written._final_results(FinalFolder(tmp_path), {None}, monitor="val/loss")
    assert baseline["test"] == {"test/loss": 0.25}


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


# Rule: of another application what its search found is told, and how the same command finds it.
@pytest.mark.parametrize(
    ("pruner", "reports", "named"),
    [("auto", False, None), ("auto", True, "NopPruner"), (None, True, None)],
)
def test_the_results_of_another_application(tmp_path, monkeypatch, pruner, reports, named):
    monkeypatch.setattr("sys.argv", ["train.py", "-m", "x=1"])
    study = optuna.create_study(study_name="s", pruner=optuna.pruners.NopPruner())
    trial = study.ask()
    if reports:
        trial.report(0.5, 0)
    study.tell(trial, 0.5)
    sampler = {"_target_": "optuna.samplers.TPESampler"}
    sweeper = OmegaConf.create({"sampler": sampler, "pruner": pruner, "storage": None})
    found = written.guest_results(
        study,
        study_dir=tmp_path,
        sweeper=sweeper,
        monitor="value",
        goes_on_with="hydra.sweep.dir=a",
    )
    assert (found["application"], found["pruner"]) == ("train.py", named)
    assert found["command"] == "python train.py -m x=1 hydra.sweep.dir=a"
    assert found["best"] == {"number": 0, "value": 0.5, "params": {}}
    assert found["storage"] == f"sqlite:///{tmp_path}/study.db"
    # Nothing is told of what only our jobs have.
    assert not found.keys() & {"cv", "test", "refits", "data", "seed", "experiment"}


def raced(folder: Path, *numbers: int) -> None:
    """What a race of these trials, best of the search first, leaves behind."""
    (folder / "race").mkdir()
    found = {"winner": numbers[-1], "candidates": [{"number": number} for number in numbers]}
    (folder / "race" / "race.json").write_text(json.dumps(found))


# Rule: a race is told as long as its candidates are the best, unless none was asked for.
@pytest.mark.parametrize(
    ("numbers", "keys", "told"),
    [
        ((0, 1), {}, True),
        ((0, 1), {"race": True}, True),
        ((0, 1), {"race": False}, False),
        ((0, 1), {"final_trial": 1}, False),
        ((1, 2), {}, False),
        ((1, 0), {}, False),
    ],
)
def test_the_race_of_the_best_trials_is_told(tmp_path, numbers, keys, told):
    study = optuna.create_study()
    for x in (0.25, 0.5, 0.75):
        space = {"x": optuna.distributions.FloatDistribution(0, 1)}
        study.add_trial(optuna.trial.create_trial(params={"x": x}, distributions=space, value=x))
    raced(tmp_path, *numbers)
    found = written._race(study, tmp_path, OmegaConf.create({"study": keys}))
    assert (found is not None and found["winner"] == numbers[-1]) is told


def test_without_a_race_there_is_none(tmp_path):
    study = study_of(TrialState.COMPLETE)
    assert written._race(study, tmp_path, OmegaConf.create({"study": {}})) is None
