"""The trials as a table: a row each, what the report's table of all trials has."""

import json
from pathlib import Path

import pytest
from report_study import write_study

from lightning_hpo import load_study


@pytest.fixture
def study_dir(tmp_path) -> Path:
    return write_study(tmp_path / "found", name="found", n_trials=20)


def test_the_trials_are_a_table(study_dir):
    found = load_study(study_dir)
    table = found.frame
    assert list(table.columns) == [
        *("number", "state", "value", "optimizer", "optimizer.lr", "model.filters_1"),
        *("model.neurons_1", "model.dropout", "optimizer.momentum", "epochs", "seconds", "failure"),
    ]
    assert list(table["number"]) == list(range(20))
    best = table.loc[found.best["number"]]
    assert (best["value"], best["state"], best["epochs"]) == (found.best_value, "complete", 10)
    assert best["model.dropout"] == found.best_params["model.dropout"]
    failed = table[table["state"] == "failed"]
    assert list(failed["failure"]) == ["the loss became NaN", "out of memory"]
    assert set(table[table["optimizer.momentum"].notna()]["optimizer"]) == {"SGD"}
    # What a trial did not complete is its last report, as in the report of the study.
    pruned = found.trials[table.index[table["state"] == "pruned"][0]]
    assert table["value"][pruned.number] == list(pruned.intermediate_values.values())[-1]


def test_the_table_has_the_value_of_each_finished_fold(study_dir):
    for fold, value in enumerate([0.5, 0.25]):
        folder = study_dir / "trials" / "3" / f"fold_{fold}"
        folder.mkdir(parents=True)
        (folder / "result.json").write_text(json.dumps({"fold": fold, "objective": value}))
    table = load_study(study_dir).frame
    assert list(table.loc[3, ["fold_0", "fold_1"]]) == [0.5, 0.25]
    assert table["fold_0"].notna().sum() == 1


def test_a_study_without_trials_has_an_empty_table(tmp_path):
    table = load_study(write_study(tmp_path / "bare", name="bare", n_trials=0)).frame
    assert (len(table), list(table.columns[:3])) == (0, ["number", "state", "value"])
