"""A regression study from the command line: what its final job leaves behind."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

sys.path.insert(0, str(Path(__file__).parent))
from command import results, run

pytestmark = pytest.mark.sweep

FIGURES = {
    "activations",
    "fit",
    "learning_curves",
    "learning_curves_holdout",
    "predicted_against_true",
    "residuals",
    "weight_histograms",
}


@pytest.fixture(scope="module")
def study_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("regression")
    status, _, err = run(folder, experiment="curve")
    assert (status, err) == (0, "")
    return folder / "studies" / "curve"


def result(study_dir: Path, name: str) -> dict:
    return json.loads((study_dir / "final" / name / "result.json").read_text())


def test_folds_stop_early_and_the_further_fit_does_not(study_dir):
    assert [result(study_dir, f"fold_{k}")["epochs"] for k in range(2)] == [2, 2]
    assert result(study_dir, "holdout")["epochs"] == 5
    assert result(study_dir, "refit")["epochs"] == 1  # the folds' best epoch


def test_every_fold_leaves_its_predictions_over_the_same_grid(study_dir):
    files = [study_dir / "final" / n / "predictions.npz" for n in ("fold_0", "fold_1", "holdout")]
    grids, lines = zip(*((np.load(f)["x_grid"], np.load(f)["y"]) for f in files), strict=True)
    assert grids[0].shape == lines[0].shape
    np.testing.assert_array_equal(grids[0], grids[1])
    np.testing.assert_array_equal(grids[0], grids[2])
    assert not np.array_equal(lines[0], lines[1])


def test_the_further_fit_holds_out_a_tenth(study_dir):
    indices = np.load(study_dir / "final" / "holdout" / "fold_indices.npz")
    assert (len(indices["train"]), len(indices["val"])) == (90, 10)


def test_results_know_the_noise_and_the_further_fit(study_dir):
    found = results(study_dir)
    assert found["data"]["noise_variance"] == 0.22
    assert found["holdout"]["val/loss"] == result(study_dir, "holdout")["value"]
    assert set(found["holdout"]["last"]) == {"train/loss", "val/loss"}


# Rule: these and no others: without a search there are no trials to be shown side by side.
def test_figures_are_files_and_in_tensorboard_and_in_the_report(study_dir):
    assert {p.stem for p in (study_dir / "final" / "figures").glob("*.png")} == FIGURES
    events = EventAccumulator(str(study_dir / "final" / "refit")).Reload()
    assert set(events.Tags()["images"]) == FIGURES
    page = (study_dir / "report.html").read_text()
    assert page.count("data:image/png") == len(FIGURES)
    assert "times the noise variance 0.22 of the data" in page
    assert "Grad-CAM" not in page
