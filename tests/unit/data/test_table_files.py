"""Tables from CSV, Parquet and data frames: the same texts, and one line for what is wrong."""

import builtins
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lightning_hpo.data import table_files
from lightning_hpo.data.table_files import Table, Texts, read_table, table_of
from lightning_hpo.errors import UserError


def texts(table: Table) -> dict[str, list[Any]]:
    found = {}
    for name, column in table.columns.items():
        different = [*column.different, None]
        found[name] = [different[code] for code in column.codes]
    return found


def read(tmp_path: Path, text: str) -> Table:
    path = tmp_path / "a.csv"
    path.write_bytes(text.encode())
    return read_table(path, "data.train and data.test")


@pytest.mark.parametrize(
    "text",
    [
        "a,b\n1,x\n,NA\n",
        "\ufeffa,b\r\n1,x\r\n?,nan\r\n",
        '\n\n a ,"b"\n1," x "\n\nNULL,#N/A\n ,\n\n',
    ],
)
def test_gaps_and_blanks_are_none_in_any_shape(text: str, tmp_path: Path) -> None:
    # A row of gaps alone is no row; the last file has one with other gaps than blanks.
    assert texts(read(tmp_path, text + "2,y\n")) == {"a": ["1", "2"], "b": ["x", "y"]}


def test_places_are_the_lines_of_the_file(tmp_path: Path) -> None:
    found = read(tmp_path, 'a,b\n\n1,"two\nlines"\n2,x\n3,x\n')
    assert found.numbers.tolist() == [4, 5, 6]
    assert found.place("b", 1).endswith("a.csv, line 5, column 'b'")
    assert found.rows(np.array([False, False, True])).place("b", 0).endswith("line 6, column 'b'")


def test_a_column_without_a_name_has_one(tmp_path: Path) -> None:
    assert list(read(tmp_path, ",a\n0,1\n").columns) == ["Unnamed: 0", "a"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must hold a header and rows, but it is empty"),
        ("a,b\n1,2\n3\n", r"a\.csv, line 3: a row must have as many fields as the .*\(2\), got 1"),
        ("a,b\n1,2,3\n", r"a\.csv, line 2: .* got 3"),
        ("a,b,a\n1,2,3\n", "must have the column 'a' once, it has it 2 times"),
    ],
)
def test_what_is_no_table_is_one_line(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        read(tmp_path, text)


def test_a_missing_column_is_named_with_those_that_are_there(tmp_path: Path) -> None:
    found = read(tmp_path, "age,size\n1,2\n")
    with pytest.raises(UserError, match=r"'agee', its columns are: age, size; why. Did you mean"):
        found.require(["size", "agee"], "why.")
    with pytest.raises(UserError, match="Columns must be separated by commas"):
        read(tmp_path, "a;b\n1;2\n").require(["a"], "why.")


FRAME = {
    "whole": [1, None],
    "real": [0.5, 2.0],
    "truth": [True, False],
    "date": [pd.Timestamp("2026-01-31 10:00"), None],
    "text": [" x ", "NA"],
}
TEXTS = {
    "whole": ["1", None],
    "real": ["0.5", "2"],
    "truth": ["true", "false"],
    "date": ["2026-01-31T10:00:00", None],
    "text": ["x", None],
}


def test_a_data_frame_is_the_table_that_its_csv_would_be() -> None:
    found = table_of(pd.DataFrame(FRAME), "x")
    assert texts(found) == TEXTS
    assert found.place("text", -1) == "x, row 2, column 'text'"


def test_parquet_is_the_same(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    path = tmp_path / "a.parquet"
    pd.DataFrame(FRAME).to_parquet(path)
    assert texts(read_table(path, "data.train and data.test")) == TEXTS
    path.write_text("no such thing")
    with pytest.raises(UserError, match=r"a\.parquet must be a Parquet file \(") as refused:
        read_table(path, "data.train and data.test")
    assert "\n" not in str(refused.value)
    with pytest.raises(UserError, match=r"must be readable files, got .*gone\.pq \(No such file"):
        read_table(tmp_path / "gone.pq", "data.train and data.test")


def test_parquet_needs_a_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_files, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"a\.parquet needs a package .* install pyarrow"):
        read_table(tmp_path / "a.parquet", "data.train and data.test")


def test_rows_forget_the_texts_that_they_have_not() -> None:
    found = Texts.of(["b", "a", "", "b", "c"]).rows(np.array([4, 2, 0]))
    assert (found.different.tolist(), found.codes.tolist()) == (["b", "c"], [1, -1, 0])
    assert builtins.sum(found.codes < 0) == found.missing == 1
