"""The tables of the reference study, from literal results."""

import json
from pathlib import Path

from benchmarks.reference import (
    CLASSIFICATION,
    CLASSIFICATION_COLUMNS,
    classification,
    regression,
)


def write(folder: Path, accuracies: list[float], *, folds: list[float] | None, limit) -> None:
    refit = folder / "final" / "refit"
    refit.mkdir(parents=True)
    config = {"data": {"train_limit": limit}, "model": {"test_time_flip": len(accuracies) > 1}}
    (refit / "config.yaml").write_text(json.dumps(config))
    tests = [{"test/accuracy": value} for value in accuracies]
    several = {"n": 2, "test": {"test/accuracy": 0.925}} if len(tests) > 1 else None
    results = {
        "refits": [{"epochs": 10, "n_parameters": 1234, "test": test} for test in tests],
        "ensemble": several,
        "cv": folds and {"folds": [{"val/accuracy": value} for value in folds]},
        "seconds": {"search": 120.0, "final": 61.0},
    }
    (folder / "results.json").write_text(json.dumps(results))


# Rule: a row is the mean over the networks that were tested with the interval of Student's t (with
# one degree of freedom 12.7 times the standard error, here 0.01), of the largest budget that was
# run; a step that was not run keeps its published values.
def test_a_row_is_of_the_largest_budget(tmp_path):
    write(tmp_path / "cnn_dropout_quick", [0.5], folds=None, limit=15000)
    write(tmp_path / "cnn_dropout_standard", [0.9, 0.92], folds=[0.75, 0.25], limit=None)
    write(tmp_path / "fc_baseline", [0.875], folds=None, limit=5000)
    rows = {row[0]: row for row in classification(tmp_path)}
    assert rows["CNN, search with dropout"] == [
        "CNN, search with dropout",
        "`cnn_dropout`, standard",
        "0.906",
        "0.9100 (0.7829 to 1.0371)",
        "2",
        "0.9250",
        "1,234",
        "yes",
        "10, 60,000",
        "0.907",
        "0.5000 ± 0.3536",
        "2 min, 1 min",
    ]
    assert rows["fully connected, by hand"][1:10] == [
        "`fc_baseline`, full",
        "0.854",
        "0.8750",
        "1",
        "",
        "1,234",
        "no",
        "10, 5,000",
        "",
    ]
    assert rows["CNN by hand"] == ["CNN by hand", "`cnn_baseline`", "0.898", *[""] * 9]
    assert len(rows) == len(CLASSIFICATION)
    assert {len(row) for row in rows.values()} == {len(CLASSIFICATION_COLUMNS)}


# Rule: the parameters of a row are those that were cross-validated and tested: the race's winner's.
def test_a_row_of_a_regression_is_of_the_trial_that_was_chosen(tmp_path):
    sgd = {"optimizer": "sgd", "optimizer.lr": 0.02, "model.neurons.layer_1": 8, "model.dropout": 0}
    adam = sgd | {"optimizer": "adam"}
    found = {
        "best": {"number": 3, "value": 0.158, "params": sgd},
        "race": {"winner": 5, "candidates": [{"number": 3, "params": sgd}]},
        "cv": {"val/loss_mean": 0.25, "val/loss_std": 0.125},
        "data": {"noise_variance": 0.22},
        "test": {"test/loss": 0.375},
        "seconds": {"search": 2, "final": 1},
        "trials": {"complete": 4, "pruned": 2, "failed": 0},
    }
    found["race"]["candidates"].append({"number": 5, "params": adam})
    folder = tmp_path / "mlp_one_layer"
    folder.mkdir()
    rows = {}
    for name, race in (("race", found["race"]), ("none", None)):
        (folder / "results.json").write_text(json.dumps(found | {"race": race}))
        rows[name] = next(row for row in regression(tmp_path) if row[0].startswith("3:"))
    assert rows["race"][1:] == [
        "adam, lr 0.02, 8 neurons, dropout 0.000",
        "0.3704",
        "0.158",
        "0.250 ± 0.125",
        "0.22",
        "0.375",
        "2 s, 1 s",
        "4, 2, 0",
    ]
    assert rows["none"][1].startswith("sgd")
