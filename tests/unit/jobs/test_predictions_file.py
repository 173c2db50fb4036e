"""Predictions as a table: its columns, and a file that is there whole or not at all."""

import csv
import io
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from lightning_hpo.errors import UserError
from lightning_hpo.jobs import predictions_file
from lightning_hpo.jobs.predictions_file import require_writable, write_csv, write_file
from lightning_hpo.jobs.predictor import Predictions

VALUES = Predictions(np.array([1.5, -0.1], np.float32))
CLASSES = Predictions(np.array([1, 0]), np.array([[0.25, 0.75], [1, 0]]), ("T-shirt, top", "Bag"))


def test_values_are_one_column_that_reads_back_to_the_same_bits() -> None:
    file = io.StringIO()
    write_csv(VALUES, file)
    header, *rows = file.getvalue().splitlines()
    assert (header, rows) == ("prediction", ["1.5", "-0.100000001"])
    assert np.array_equal(np.array(rows, np.float32), VALUES.number)


def test_classes_have_their_names_and_their_probabilities() -> None:
    file = io.StringIO(newline="")
    write_csv(CLASSES, file)
    file.seek(0)
    assert list(csv.reader(file)) == [
        ["prediction", "probability", "p_T-shirt, top", "p_Bag"],
        ["Bag", "0.75", "0.25", "0.75"],
        ["T-shirt, top", "1", "1", "0"],
    ]


def test_samples_with_files_of_their_own_begin_with_them() -> None:
    for found, rest in (
        (VALUES, "prediction"),
        (CLASSES, 'prediction,probability,"p_T-shirt, top"'),
    ):
        file = io.StringIO()
        write_csv(replace(found, file=("new/1.png", "new/2.png")), file)
        header, first, _ = file.getvalue().splitlines()
        assert header.startswith(f"file,{rest}") and first.startswith("new/1.png,")


def test_a_file_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    out.write_text("before")
    write_file(VALUES, out)
    assert out.read_text() == "prediction\n1.5\n-0.100000001\n"
    assert list(tmp_path.iterdir()) == [out]


def test_a_failure_leaves_the_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(found: Predictions, file: io.TextIOBase) -> None:
        file.write("half of")
        raise OSError(28, "No space left on device")

    out = tmp_path / "out.csv"
    out.write_text("before")
    monkeypatch.setattr(predictions_file, "write_csv", full)
    with pytest.raises(UserError, match=r"must be writable, got .*out\.csv \(No space left on dev"):
        write_file(VALUES, out)
    assert out.read_text() == "before"
    assert list(tmp_path.iterdir()) == [out]


def test_where_nothing_can_be_written_is_found_before_anything_is_predicted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = tmp_path / "in.csv"
    samples.touch()
    require_writable(tmp_path / "out.CSV", samples)
    for out, rule in {
        tmp_path / "out.json": r"must end in \.csv or \.parquet",
        tmp_path / "none" / "out.csv": "must lie in a folder that exists",
        tmp_path / "." / "in.csv": "must be a file of its own",
    }.items():
        with pytest.raises(UserError, match=rule):
            require_writable(out, samples)
    monkeypatch.setattr(predictions_file, "find_spec", lambda _: None)
    with pytest.raises(UserError, match=r"not installed: .* -m pip install pyarrow"):
        require_writable(tmp_path / "out.parquet", samples)


# Rule: Parquet is pyarrow's to write; a stand-in notes what it is given.
def test_parquet_gets_the_same_columns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arrow, parquet = ModuleType("pyarrow"), ModuleType("pyarrow.parquet")
    vars(arrow).update(
        array=tuple, table=lambda columns, names: dict(zip(names, columns, strict=True))
    )
    vars(parquet).update(write_table=lambda table, path: path.write_text(repr(table)))
    monkeypatch.setitem(sys.modules, "pyarrow", arrow)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", parquet)
    write_file(CLASSES, tmp_path / "out.parquet")
    assert (tmp_path / "out.parquet").read_text() == repr(
        {
            "prediction": ("Bag", "T-shirt, top"),
            "probability": (0.75, 1.0),
            "p_T-shirt, top": (0.25, 1.0),
            "p_Bag": (0.75, 0.0),
        }
    )
