"""Tables from CSV and Parquet files and from data frames: each column as the texts in it.

What a text means is decided elsewhere (table_columns.py), by one rule for all sources.
N rows, U different texts of a column.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from importlib.util import find_spec
from operator import is_
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lightning_hpo.data.csv import records, separator_hint
from lightning_hpo.errors import UserError, did_you_mean, missing_package, one_line

# Texts that stand for a gap, in any case of their letters; "none" may be a category.
GAPS = ("", "na", "n/a", "#n/a", "nan", "<na>", "nat", "null", "?")
_LONGEST_GAP = max(map(len, GAPS))
_PARQUET = (".parquet", ".pq")


@dataclass(frozen=True)
class Texts:
    """A column: ``different`` (U,) texts without blanks around, and which of them a row has.

    codes (N,): places in ``different``; -1: a gap.
    """

    codes: NDArray[np.int64]
    different: NDArray[np.object_]

    @classmethod
    def of(cls, values: Sequence[Any] | NDArray[Any]) -> "Texts":
        codes, found = pd.factorize(np.array(values, dtype=object))
        plain = [_plain(text) for text in found]
        if all(map(is_, plain, found)):
            return cls(codes.astype(np.int64), found)
        of_found, different = pd.factorize(np.array(plain, dtype=object))
        return cls(np.append(of_found, -1)[codes].astype(np.int64), different)

    @property
    def missing(self) -> int:
        return int((self.codes < 0).sum())

    def of_rows(self, values_u: Sequence[Any] | NDArray[Any], gap: Any) -> NDArray[Any]:
        """(N,): of each row what ``values_u`` (U,) says of its text, ``gap`` where it has none."""
        return np.append(np.asarray(values_u), gap)[self.codes]

    def rows(self, index: NDArray[Any]) -> "Texts":
        """Those of some rows, in this order."""
        codes = self.codes[index]
        left = np.unique(codes[codes >= 0])
        places = np.full(len(self.different) + 1, -1)
        places[left] = np.arange(len(left))
        return Texts(places[codes], self.different[left])


@dataclass(frozen=True)
class Table:
    """Columns by name, and where each row stands: the number (N,) of its line, or of the row."""

    source: str
    columns: Mapping[str, Texts]
    numbers: NDArray[np.int64]
    counted: str = "line"

    def __len__(self) -> int:
        return len(self.numbers)

    def rows(self, index: NDArray[Any]) -> "Table":
        """Some of the rows, in this order; ``index`` holds their places or truth values."""
        columns = {name: texts.rows(index) for name, texts in self.columns.items()}
        return replace(self, columns=columns, numbers=self.numbers[index])

    def place(self, name: str, code: int) -> str:
        """Where the text of this number stands first in a column, in words."""
        row = int(np.argmax(self.columns[name].codes == code))
        return f"{self.source}, {self.counted} {self.numbers[row]}, column '{name}'"

    def require(self, names: Sequence[str], way_out: str) -> None:
        """Raise :class:`UserError` where one of the columns is missing."""
        for name in names:
            if name not in self.columns:
                known = tuple(self.columns)
                hint = separator_hint(known) or did_you_mean(name, known)
                raise UserError(
                    f"{self.source} must have the column '{name}', its columns are:"
                    f" {', '.join(known)}; {way_out}{hint}"
                )


def read_table(path: Path, keys: str) -> Table:
    """The table in a file, CSV unless it ends in .parquet; ``keys``: what the file was named by.

    Raises:
        UserError: with file and line, for what is no table.
    """
    return _read_parquet(path, keys) if path.suffix.lower() in _PARQUET else _read_csv(path, keys)


def parquet_names(path: Path) -> tuple[str, ...]:
    """The columns of a Parquet file; none of any other file."""
    if path.suffix.lower() not in _PARQUET:
        return ()
    return tuple(import_module("pyarrow.parquet").read_schema(path).names)


def table_of(frame: pd.DataFrame, source: str) -> Table:
    """A data frame as a table; its index is no column."""
    names = [str(name) for name in frame.columns]
    _require_once(names, source)
    columns = {n: Texts.of(list(_as_texts(frame.iloc[:, i]))) for i, n in enumerate(names)}
    return Table(source, columns, np.arange(1, len(frame) + 1), "row")


def _read_csv(path: Path, keys: str) -> Table:
    header, skipped, numbers = _structure(path, keys)
    names = [name or f"Unnamed: {place}" for place, name in enumerate(header)]
    _require_once(names, str(path))
    options: dict[str, Any] = {"dtype": object, "na_filter": False, "skip_blank_lines": False}
    with path.open(newline="", encoding="utf-8-sig") as file:
        for _ in range(skipped):
            file.readline()
        frame = pd.read_csv(file, header=None, names=names, index_col=False, **options)
    texts = {name: Texts.of(frame.pop(name).to_numpy()) for name in names}
    blank = np.all([column.codes < 0 for column in texts.values()], axis=0)
    table = Table(str(path), texts, numbers)
    return table.rows(~blank) if blank.any() else table


def _plain(text: str) -> str | None:
    """Without blanks around; None for a gap."""
    text = text.strip()
    return None if len(text) <= _LONGEST_GAP and text.lower() in GAPS else text


def _structure(path: Path, keys: str) -> tuple[list[str], int, NDArray[np.int64]]:
    """The header, the lines down to its end, and the number of the line of each row below.

    Raises:
        UserError: for a row with more or fewer fields than the header.
    """
    numbers: list[int] = []
    header: list[str] = []
    skipped = 0
    for line, record in records(path, f"{keys} must be readable files"):
        if not header:
            # Blank lines above it are none.
            header = [name.strip() for name in record] if any(map(str.strip, record)) else []
            skipped = line
            continue
        if record and len(record) != len(header):
            raise UserError(
                f"{path}, line {line}: a row must have as many fields as the header"
                f" ({len(header)}), got {len(record)}."
            )
        numbers.append(line)
    if not header:
        raise UserError(f"{path} must hold a header and rows, but it is empty.")
    return header, skipped, np.array(numbers, dtype=np.int64)


def _read_parquet(path: Path, keys: str) -> Table:
    if find_spec("pyarrow") is None:
        raise missing_package(str(path), "pyarrow")
    try:
        path.open("rb").close()
        frame = pd.read_parquet(path, dtype_backend="numpy_nullable", engine="pyarrow")
    except OSError as error:
        raise UserError(
            f"{keys} must be readable files, got {path} ({error.strerror or one_line(error)});"
            f" relative paths start at {Path.cwd()}."
        ) from None
    except ValueError as error:
        # pyarrow's own errors are of this kind.
        raise UserError(f"{path} must be a Parquet file ({one_line(error)}).") from None
    return table_of(frame, str(path))


def _require_once(names: Sequence[str], source: str) -> None:
    for name in names:
        if names.count(name) > 1:
            raise UserError(
                f"{source} must have the column '{name}' once, it has it {names.count(name)}"
                " times; rename or remove the others."
            )


def _as_texts(column: "pd.Series[Any]") -> Iterator[str]:
    """As a CSV file would have them: whole numbers without a point, dates year first."""
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        column = column.map(lambda date: date.isoformat(), na_action="ignore")
    for value, gap in zip(column.tolist(), column.isna(), strict=True):
        yield "" if gap else _as_text(value)


def _as_text(value: Any) -> str:
    if isinstance(value, bool | np.bool_):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    return str(value).strip()
