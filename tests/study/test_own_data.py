"""A user's own data module, unedited, by folds: search, cross-validation, refit, test, report."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from command import results, run, trials

pytestmark = pytest.mark.sweep

N = 260  # all that its training and validation loaders show
N_FOLDS = 3


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("own_data")
    status, out, err = run(folder, f"cv.n_splits={N_FOLDS}", experiment="own_folds")
    assert (status, err) == (0, ""), out
    return folder / "studies" / "own_folds", out


# Rule: a trial is the mean of its folds; its network refuses a sample in the wrong view.
def test_every_trial_is_validated_on_all_folds(finished):
    study_dir, _ = finished
    for trial in trials(study_dir):
        paths = [study_dir / "trials" / str(trial.number) / f"fold_{k}" for k in range(N_FOLDS)]
        values = [json.loads((path / "result.json").read_text())["value"] for path in paths]
        assert trial.value == pytest.approx(np.mean(values))


def test_the_final_folds_take_turns(finished):
    study_dir, _ = finished
    found = results(study_dir)
    assert len(found["cv"]["folds"]) == N_FOLDS
    validated = []
    for fold in range(N_FOLDS):
        with np.load(study_dir / "final" / f"fold_{fold}" / "fold_indices.npz") as indices:
            assert not set(indices["train"]) & set(indices["val"])
            assert sorted([*indices["train"], *indices["val"]]) == list(range(N))
            validated += indices["val"].tolist()
    assert sorted(validated) == list(range(N))


def test_the_refit_is_tested_and_reported(finished):
    study_dir, out = finished
    assert results(study_dir)["test"].keys() == {"test_loss"}
    assert f"{N_FOLDS}-fold cross-validation" in out
    assert (study_dir / "report.html").is_file()


# Rule: what cannot be split is one line before any trial, and the study stays empty.
def test_flags_that_may_mean_anything_are_refused_before_the_search(tmp_path):
    status, out, err = run(tmp_path, "data._target_=own_digits.Flagged", experiment="own_folds")
    assert status == 1 and "search:" not in out
    (line,) = err.splitlines()
    assert "two FlaggedPictures differ in more than data and transforms: train" in line
    assert "cv=holdout cv.final=false" in line
    assert not (tmp_path / "studies" / "own_folds" / "trials" / "0").exists()
