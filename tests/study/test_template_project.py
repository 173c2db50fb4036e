"""The classes of a project in the template's shape, unedited, by one file of at most ten lines."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from command import HERE, results, run, states
from optuna.trial import TrialState

pytestmark = pytest.mark.sweep

PROJECT = HERE.parent / "template_project"


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("template")
    small = ["trainer.accelerator=cpu", "trainer.max_epochs=2", "study.n_jobs=2", "cv.n_splits=2"]
    status, out, err = run(folder, *small, experiment="blobs", code=PROJECT)
    assert (status, err) == (0, ""), out
    return folder / "studies" / "blobs"


def test_the_file_has_at_most_ten_lines():
    assert len((HERE / "conf" / "experiment" / "blobs.yaml").read_text().splitlines()) <= 10


# Rule: search, folds, refit, test, confusion matrix and report, as for our own classes.
def test_the_project_gets_what_ours_get(finished):
    found = results(finished)
    assert states(finished) == {TrialState.COMPLETE: 3}
    assert [fold["fold"] for fold in found["cv"]["folds"]] == [0, 1]
    assert found["test"].keys() == {"test/loss", "test/acc"}
    drawn = {path.stem for path in (finished / "final" / "figures").iterdir()}
    assert {"confusion_matrix", "confused_pairs", "learning_curves"} <= drawn
    page = (finished / "report.html").read_text()
    assert "2-fold cross-validation" in page and "Left out" not in page
