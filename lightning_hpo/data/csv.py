"""Data of the user's own, from two CSV files: numeric columns to predict a number from."""

import csv
from collections.abc import Iterator, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_hpo.data.base import Arrays, TensorDataModule
from lightning_hpo.errors import UserError, did_you_mean

# A cross-validation needs as many rows as folds and says so itself; a fit needs these.
_FEWEST_TRAIN, _FEWEST_TEST = 2, 1
_LARGEST = float(np.finfo(np.float32).max)
_RULE = "data.train_csv and data.test_csv must be readable files"


class CSVDataModule(TensorDataModule):
    """Numbers in columns of two CSV files.

    Files are UTF-8, comma-separated, with a header. Columns that are neither inputs nor the target
    are ignored, but for those that ``split`` names as groups or labels. Inputs are standardised on
    the training split, the target is as it stands in the file.

    Args:
        train_csv: the file of the training rows; relative paths start at the working directory.
        test_csv: that of the test rows, opened once, by the final job.
        inputs: the columns to predict from, one name or several.
        target: the column to predict.
        batch_size: rows of a training batch, at least 1; None: all, so an epoch is one step.
        **options: those of ``TensorDataModule``.

    Raises:
        UserError: for an argument outside its range, here; for whatever in a file is not a finite
            number, in ``setup``.
    """

    name = "csv"
    input_names: tuple[str, ...]
    target_name: str

    def __init__(
        self,
        *,
        train_csv: str | PathLike[str] | None = None,
        test_csv: str | PathLike[str] | None = None,
        inputs: str | Sequence[str] = "input",
        target: str = "label",
        batch_size: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__(batch_size=1 if batch_size is None else batch_size, **options)
        self.train_csv, self.test_csv = train_csv, test_csv
        self.input_names = (inputs,) if isinstance(inputs, str) else tuple(inputs)
        self.target_name = target
        self._one_batch = batch_size is None
        _check_names(self.input_names, target)

    def load(self) -> Arrays:
        columns = (*self.input_names, self.target_name)
        train_path = _required("data.train_csv", self.train_csv)
        test_path = _required("data.test_csv", self.test_csv)
        train = read_columns(train_path, columns, fewest=_FEWEST_TRAIN)
        test = read_columns(test_path, columns, fewest=_FEWEST_TEST)
        if self._one_batch:
            self.batch_size = len(train)
        return Arrays(train[:, :-1], train[:, -1], test[:, :-1], test[:, -1])

    def values(self, name: str) -> NDArray[Any] | None:
        """The column ``name`` of ``train_csv``, as its texts; else an attribute."""
        found = read_texts(_required("data.train_csv", self.train_csv), name)
        return super().values(name) if found is None else found


def read_texts(path: Path, column: str) -> NDArray[np.str_] | None:
    """The fields of one column, (rows,); None where the file has no such column."""
    found = [record for _, record in filled(path)]
    if not found or found[0].count(column) != 1:
        return None
    place = found[0].index(column)
    return np.array([record[place] for record in found[1:]])


def header_of(path: Path) -> Sequence[str]:
    """The names of a CSV file's columns; none of an empty file."""
    return next((record for _, record in filled(path)), [])


def read_columns(
    path: Path,
    columns: Sequence[str],
    *,
    fewest: int,
    way_out: str = "name yours with data.inputs and data.target.",
) -> NDArray[np.float32]:
    """The named columns of a CSV file, (rows, columns), from at least ``fewest`` rows.

    ``way_out``: what is said where a column is missing.

    Raises:
        UserError: with file, line and column of the first thing that is wrong.
    """
    lines = filled(path)
    _, header = next(lines, (0, None))
    if header is None:
        raise UserError(f"{path} must hold a header and rows of numbers, but it is empty.")
    places = _places(path, header, columns, way_out)
    rows: list[list[float]] = []
    for line, record in lines:
        where = f"{path}, line {line}"
        if len(record) != len(header):
            raise UserError(
                f"{where}: a row must have as many fields as the header"
                f" ({len(header)}), got {len(record)}."
            )
        rows.append([_number(record[i], f"{where}, column '{header[i]}'") for i in places])
    if len(rows) < fewest:
        raise UserError(f"{path} must hold at least {fewest} rows of numbers, got {len(rows)}.")
    return np.array(rows, dtype=np.float32)


def records(path: Path, rule: str = _RULE) -> Iterator[tuple[int, list[str]]]:
    """Line number and fields of every line, none of a blank one; the header is a line as any other.

    Raises:
        UserError: for what is no CSV file; ``rule``: what a file that cannot be opened must be.
    """
    try:
        # utf-8-sig: spreadsheets write a byte-order mark in front of the first column's name.
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file)
            for record in reader:
                yield reader.line_num, record
    except OSError as error:
        raise UserError(
            f"{rule}, got {path} ({error.strerror}); relative paths start at {Path.cwd()}."
        ) from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path} must be a CSV file in UTF-8 ({error}).") from None


def filled(path: Path, rule: str = _RULE) -> Iterator[tuple[int, list[str]]]:
    """Line number and fields, without blanks around, of every line that is not blank."""
    for line, record in records(path, rule):
        if any(field.strip() for field in record):
            yield line, [field.strip() for field in record]


def _places(path: Path, header: Sequence[str], columns: Sequence[str], way_out: str) -> list[int]:
    for column in columns:
        if column not in header:
            names = ", ".join(header)
            raise UserError(
                f"{path} must have the column '{column}', its columns are: {names}; {way_out}"
                f"{separator_hint(header) or did_you_mean(column, header)}"
            )
        if header.count(column) > 1:
            raise UserError(
                f"{path} must have the column '{column}' once, its header has it"
                f" {header.count(column)} times; rename or remove the others."
            )
    return [header.index(column) for column in columns]


def separator_hint(header: Sequence[str]) -> str:
    joined = len(header) == 1 and (";" in header[0] or "\t" in header[0])
    return " Columns must be separated by commas." if joined else ""


def _number(text: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        got = f"'{text}'" if text else "an empty field"
        raise UserError(f"{where}: must be a number, got {got}.") from None
    # Also NaN, which no comparison holds for.
    if not abs(value) <= _LARGEST:
        raise UserError(f"{where}: must be a finite number of single precision, got {text}.")
    return value


def _required(key: str, path: str | PathLike[str] | None) -> Path:
    if path is None:
        raise UserError(f"{key} must name a CSV file, got null; set {key}=PATH.")
    return Path(path)


def _check_names(inputs: Sequence[str], target: str) -> None:
    if not inputs:
        raise UserError(
            "data.inputs must name at least one column, got none; set data.inputs=[NAME]."
        )
    repeated = sorted({name for name in inputs if inputs.count(name) > 1})
    if repeated:
        raise UserError(f"data.inputs must name each column once, got {', '.join(repeated)} again.")
    if target in inputs:
        raise UserError(
            f"data.target must not be among data.inputs, got '{target}' in both; remove it from"
            " data.inputs."
        )
