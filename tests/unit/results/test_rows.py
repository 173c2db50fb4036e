"""Which folders are compared, and which of them are one row."""

import json
from pathlib import Path

import pytest
from study_folders import SMALL, study

from lightning_hpo.errors import UserError
from lightning_hpo.results.rows import read_studies, rows_of
from lightning_hpo.results.samples import Study


def read(folder: Path) -> Study:
    return Study(folder, json.loads((folder / "results.json").read_text()))


# Rule: rows of one name are told apart by their folders; a folder named twice is one study.
def test_rows_have_names_of_their_own(tmp_path: Path) -> None:
    a = study(tmp_path, "a", SMALL, study_name="study", command="x")
    b = study(tmp_path, "b", SMALL, study_name="study", command="y")
    names = [row.name for row in rows_of(read_studies([a, b, tmp_path / "b" / ".." / "a"]))]
    assert names == [f"study in {a}", f"study in {b}"]


def test_folders_that_differ_only_in_the_seed_are_one_row(tmp_path: Path) -> None:
    folders = [
        study(tmp_path, f"x_{seed}", [0.9 + seed / 100, 0.92], seed=seed, test=0.9 + seed / 100)
        for seed in (2, 0, 1)
    ]
    more = study(tmp_path, "more", SMALL, command="python -m lightning_hpo +experiment=y seed=0")
    row, alone = rows_of([read(folder) for folder in (*folders, more)])
    assert [s.results["seed"] for s in row.studies] == [0, 1, 2]
    assert row.values("val/accuracy") == pytest.approx([0.91, 0.915, 0.92])
    assert row.values("test/accuracy") == pytest.approx([0.90, 0.91, 0.92])
    assert alone.name == "more"


# Rule: a search alone has no folds and no test that could be compared, whoever ran it.
def test_another_applications_study_is_refused_by_its_name(tmp_path: Path) -> None:
    ours, other = study(tmp_path, "ours", SMALL), study(tmp_path, "other", SMALL)
    results = other / "results.json"
    found = json.loads(results.read_text()) | {"application": "train.py"}
    results.write_text(json.dumps(found))
    with pytest.raises(UserError, match=r"final job is ours, got .*other of train\.py"):
        read_studies([ours, other])
