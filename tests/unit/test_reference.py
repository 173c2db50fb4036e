"""The table of the reference study's classification part, from literal results."""

import json
from pathlib import Path

from benchmarks.reference import CLASSIFICATION, CLASSIFICATION_COLUMNS, classification


def write(folder: Path, accuracies: list[float], *, folds: list[float] | None, limit) -> None:
    refit = folder / "final" / "refit"
    refit.mkdir(parents=True)
    (refit / "config.yaml").write_text(json.dumps({"data": {"train_limit": limit}}))
    results = {
        "refits": [{"epochs": 10, "test": {"test/accuracy": value}} for value in accuracies],
        "cv": folds and {"folds": [{"val/accuracy": value} for value in folds]},
        "seconds": {"search": 120.0, "final": 61.0},
    }
    (folder / "results.json").write_text(json.dumps(results))


# Rule: a row is the mean and the sample standard deviation over the networks that were tested, of
# the largest budget that was run; a step that was not run keeps its published values.
def test_a_row_is_of_the_largest_budget(tmp_path):
    write(tmp_path / "cnn_dropout_quick", [0.5], folds=None, limit=15000)
    write(tmp_path / "cnn_dropout_standard", [0.9, 0.92], folds=[0.75, 0.25], limit=None)
    write(tmp_path / "fc_baseline", [0.875], folds=None, limit=5000)
    rows = {row[0]: row for row in classification(tmp_path)}
    assert rows["CNN, search with dropout"] == [
        "CNN, search with dropout",
        "`cnn_dropout`, standard",
        "0.906",
        "0.9100 ± 0.0141",
        "2",
        "10, 60,000",
        "0.907",
        "0.5000 ± 0.3536",
        "2 min, 1 min",
    ]
    assert rows["fully connected, by hand"][1:7] == [
        "`fc_baseline`, full",
        "0.854",
        "0.8750",
        "1",
        "10, 5,000",
        "",
    ]
    assert rows["CNN by hand"] == ["CNN by hand", "`cnn_baseline`", "0.898", *[""] * 6]
    assert len(rows) == len(CLASSIFICATION)
    assert {len(row) for row in rows.values()} == {len(CLASSIFICATION_COLUMNS)}
