"""A user's own module and data of which little can be drawn: one study through the command line."""

import sys
from pathlib import Path

import pytest
from optuna.trial import TrialState

sys.path.insert(0, str(Path(__file__).parent))
from command import results, run, states

pytestmark = pytest.mark.sweep


# Rule: what cannot be drawn costs no trial and no final job; the report says why, in one line.
def test_what_is_left_out_is_named(tmp_path: Path) -> None:
    status, out, err = run(tmp_path, experiment="masks")
    assert (status, err) == (0, "")
    study_dir = tmp_path / "studies" / "masks"
    assert states(study_dir) == {TrialState.COMPLETE: 2}
    assert results(study_dir)["test"].keys() == {"test/loss"}
    drawn = {path.stem for path in (study_dir / "final" / "figures").iterdir()}
    # Nothing is logged in training, and without folds nothing else has a curve.
    assert drawn == {"filters_1", "weight_histograms"}
    assert "figures left out, see the report: test_samples" in out
    reason = "got outputs (16, 2, 8, 8) and targets (16, 8, 8) int64; figures are of classes,"
    assert f"Left out: test samples ({reason}" in (study_dir / "report.html").read_text()
    # Nothing is fitted for a figure that these data do not have.
    assert "showcase" not in out
    log = next((study_dir / "trials" / "0").glob("*.log")).read_text()
    for name in ("ConfusionMatrix", "GradCam"):
        assert f"figures of {name} are left out: figures of a classifier need one class" in log
