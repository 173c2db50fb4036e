"""Rows with categories and a rare class, watched by balanced accuracy: search, tests, report."""

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from lightning_hpo import load_study

sys.path.insert(0, str(Path(__file__).parent))
from command import results, run, trials
from wine_rows import N_REAL, RareWineRows

pytestmark = pytest.mark.sweep

GROWERS = ["Barolo", "Grignolino", "Barbera"]


@pytest.fixture(scope="module")
def study_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rows")
    status, out, err = run(folder, experiment="wine_rows")
    assert (status, err) == (0, ""), out
    return folder / "studies" / "wine_rows"


# Rule: the highest balanced accuracy wins, in the search, in the folds and in the test.
def test_the_monitor_decides_everywhere(study_dir: Path) -> None:
    found = results(study_dir)
    best = max(trials(study_dir), key=lambda trial: trial.value)
    assert (found["best"]["number"], found["best"]["value"]) == (best.number, best.value)
    for fold in found["cv"]["folds"]:
        curve = json.loads((study_dir / f"final/fold_{fold['fold']}/result.json").read_text())
        assert max(curve["curve"]["val/balanced_accuracy"]) == curve["value"]
    assert {"val/balanced_accuracy_mean", "val/auroc_mean"} <= found["cv"].keys()
    assert found["test"].keys() == {
        f"test/{name}" for name in ("loss", "accuracy", "balanced_accuracy", "auroc")
    }


def test_the_first_sentence_and_the_trivial_model_are_of_that_metric(study_dir: Path) -> None:
    found, page = results(study_dir), (study_dir / "report.html").read_text()
    value = re.escape(f"{found['best']['value']:.4g}")
    assert re.search(rf"Trial \d won with val/balanced_accuracy = {value}, the highest of", page)
    trivial = found["trivial"]["test"]
    assert (trivial["judged_by"], list(trivial["recall"])) == ("balanced accuracy", GROWERS)
    assert trivial["balanced_accuracy"] == pytest.approx(found["test"]["test/balanced_accuracy"])
    assert "test/balanced_accuracy" in found["ensemble"]["test"]


# Rule: rows have no pictures; what is drawn is of classes and weights.
def test_the_figures_are_those_of_a_classifier_of_rows(study_dir: Path) -> None:
    figures = {path.stem for path in (study_dir / "final" / "figures").glob("*.png")}
    assert {"confusion_matrix", "weight_histograms", "learning_curves"} <= figures
    assert not figures & {"mistakes", "grad_cam", "feature_maps"}


# Rule: predictions are those of the tested network; an unknown category is one of its own.
def test_new_rows_are_classified_whatever_their_categories(study_dir: Path) -> None:
    data = RareWineRows()
    data.setup("test")
    rows, target = (part.numpy() for part in data.raw("test"))
    predictor = load_study(study_dir).predictor()
    found = predictor.predictions(rows)
    assert list(found.classes) == GROWERS
    accuracy = results(study_dir)["refits"][0]["test"]["test/accuracy"]
    assert (found.number == target).mean() == pytest.approx(accuracy)
    unknown, missing = rows.copy(), rows.copy()
    unknown[:, N_REAL], missing[:, N_REAL] = 99, 0
    known, *others = map(predictor.probabilities, (rows, unknown, missing))
    np.testing.assert_array_equal(*others)
    assert np.abs(known - others[0]).max() > 1e-3
