"""A user's own module with habits of its own: one study from the search to the report."""

import csv
import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import kept
from command import results, trials

from lightning_hpo.jobs.again import rerun


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = kept.awkward(tmp_path_factory)
    return folder / "studies" / "awkward", (folder / "out.txt").read_text()


# Rule: what needs a validation has one in the refit too, which is said before the search.
def test_a_schedule_on_the_validation_lives_through_the_refit(finished):
    study_dir, out = finished
    said = next(line for line in out.splitlines() if "the refit will validate too" in line)
    assert "MyLoss_val" in said
    assert out.index(said) < out.index("search: 2 trials")
    refit = json.loads((study_dir / "final" / "refit" / "result.json").read_text())
    assert refit["stages"]["MyLoss_val"] == "val"
    # Its validation data are its own, so nothing is taken from the training.
    assert (refit["epochs"], refit["val_fraction"]) == (2, 0.0)


def test_both_test_sets_are_in_the_results_by_name(finished):
    found = results(finished[0])
    assert found["test"].keys() == {"acc/dataloader_idx_0", "acc/dataloader_idx_1"}
    assert found["no_test"] is None


# Rule: figures of a network in float64 on data without class names; trials of it are fitted again
# to be shown, for as many epochs as they had.
def test_the_network_is_saved_and_drawn(finished):
    study_dir, out = finished
    assert (study_dir / "final" / "model.ckpt").is_file()
    drawn = {path.stem for path in (study_dir / "final" / "figures").iterdir()}
    of_network = {"learning_curves", "weight_histograms", "trials_side_by_side"}
    assert drawn == {"confusion_matrix", "confused_pairs", *of_network}
    fitted = [line for line in out.splitlines() if line.startswith("showcase ")]
    assert len(fitted) == 2 and all(" 2 epochs, " in line for line in fitted)
    assert "Left out" not in (study_dir / "report.html").read_text()


# Rule: of two validations in an epoch the last one speaks for it, also when a trial runs again.
def test_an_epoch_counts_with_its_last_validation(finished):
    study_dir, _ = finished
    trial = trials(study_dir)[0]
    with (study_dir / "trials" / "0" / "metrics.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["MyLoss_val"]]
    assert len(rows) == 4
    last = {int(row["epoch"]): float(row["MyLoss_val"]) for row in rows}
    assert trial.intermediate_values == pytest.approx(last)
    assert trial.value == min(trial.intermediate_values.values())
    assert rerun(study_dir, 0).equal
