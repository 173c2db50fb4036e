"""What the columns of a table are, each by a stated rule, and their texts as numbers.

A column is, in this order: what ``data.columns`` says; *constant*, if all rows have one text or
none has any; *truth*, of two texts as in ``TRUTHS``; of numbers alone an *identifier*, if they are
whole and count up by 1 over at least 10 rows, or all differ and the column's name is that of a key,
a *category*, if one has a leading zero as postal codes have, else a *number*; a *date*, if all are
dates of one of ``DATES``; an *identifier*, if more than half of its texts stand in one row alone
and are more than 50, or all of at least 10 differ; else a *category*.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lightning_hpo.data.table_files import Table, Texts
from lightning_hpo.errors import UserError

# What a user may say of a column, and what it may be.
Told = Literal["number", "category", "date", "truth", "ignored"]
Kind = Literal[
    "number",
    "category",
    "date",
    "truth",
    "ignored",
    "identifier",
    "constant",
    "target",
    "group",
    "weight",
]
# Kinds that become inputs of a network.
INPUTS = ("number", "category", "date", "truth")
TRUTHS = (("false", "true"), ("no", "yes"), ("f", "t"), ("n", "y"))
DATES = ("ISO8601", "%Y/%m/%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y")

_FEWEST_KEYS, _MANY = 10, 50
_LARGEST = float(np.finfo(np.float32).max)
_KEY = re.compile(r"(.*[\s_.-])?(id|uuid|guid|index|key)|Unnamed: \d+", re.IGNORECASE)
_LEADING_ZERO = re.compile(r"0\d+")
_ISO = re.compile(
    r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?( ?(Z|[+-]\d\d:?\d\d))?)?", re.IGNORECASE
)
_DATE = re.compile(r"\d{1,4}[./]\d{1,2}[./]\d{1,4}")
_DAY = np.timedelta64(1, "D")


@dataclass(frozen=True)
class Column:
    """A column of the training file: what it is and why, and by what its texts are read.

    names: of a category its texts, of truth values that of false and that of true, sorted.
    dates: which of ``DATES``. timed: whether a date has a time of the day.
    """

    name: str
    kind: Kind
    note: str = ""
    missing: int = 0
    distinct: int = 0
    names: tuple[str, ...] = ()
    dates: str = ""
    timed: bool = False

    @property
    def is_input(self) -> bool:
        return self.kind in INPUTS

    @property
    def parts(self) -> tuple[str, ...]:
        """The kind of each stored number: of a date its days and points on circles."""
        if self.kind != "date":
            return (self.kind,)
        return ("number",) * (7 if self.timed else 5)

    @property
    def stored_names(self) -> tuple[str, ...]:
        """What each stored number is; of a category also what its codes stand for."""
        n = len(self.parts)
        if n > 1:
            return tuple(f"{self.name} ({number} of {n})" for number in range(1, n + 1))
        codes = ", ".join(f"{code} = {text}" for code, text in enumerate(self.names))
        return (f"{self.name} ({codes})" if codes else self.name,)


def typed(table: Table, name: str, *, told: Told | None = None, is_asked: bool = False) -> Column:
    """The column as an input; ``is_asked``: somebody names it as one, so it is no identifier.

    Raises:
        UserError: where it is not what it is told to be.
    """
    texts = table.columns[name]
    if told is not None:
        column = _told(table, name, told)
    elif len(texts.different) == 0 or (len(texts.different) == 1 and not texts.missing):
        only = f"always '{_short(texts.different[0])}'" if len(texts.different) else "no values"
        column = Column(name, "constant", only)
    else:
        column = _guessed(name, texts, is_asked=is_asked)
    counts = {"missing": texts.missing, "distinct": len(texts.different)}
    return Column(**(vars(column) | counts))


def encoded(column: Column, table: Table) -> NDArray[np.float32]:
    """(N, parts) of the column's texts in any table; NaN for a gap.

    Of a category the places of its names, -1 for another one. Dates are days since 1970-01-01 and,
    as sine and cosine, the place of their month in the year and of their day in the week, with a
    time also that in the day.

    Raises:
        UserError: for a text that is none of the kind.
    """
    texts = table.columns[column.name]
    if column.kind == "date":
        values_u = _date_parts(_days(column, table), timed=column.timed)
        return np.vstack((values_u, np.full(values_u.shape[1], np.nan)))[texts.codes].astype("f4")
    if column.kind == "number":
        values = _numbers(column.name, table)
    else:
        values = np.array(_codes(column, table), dtype=np.float64)
    return texts.of_rows(values, np.nan).astype(np.float32)[:, None]


def numbers_of(texts: Sequence[Any] | NDArray[Any]) -> NDArray[np.float64]:
    """(U,): each text as a number; NaN where it is none, or none of single precision."""
    try:
        found = np.asarray(texts, dtype=object).astype(np.float64)
    except (ValueError, OverflowError):
        found = np.array([_number(text) for text in texts], dtype=np.float64)
    if "_" in "\n".join(texts):
        found[["_" in text for text in texts]] = np.nan
    with np.errstate(invalid="ignore"):
        found[~(np.abs(found) <= _LARGEST)] = np.nan
    return found


def is_truth(different: Sequence[str] | NDArray[Any]) -> tuple[str, ...] | None:
    """The texts, in small letters, of false and of true; None: they are no truth values."""
    if len(different) > _MANY:
        # More than two can be written in.
        return None
    found = {text.lower() for text in different}
    return next((pair for pair in TRUTHS if found == set(pair)), None)


def mixed(column: Column, texts: Texts) -> str | None:
    """That a column of texts is nearly one of numbers, in words; None: it is not."""
    if column.kind not in ("category", "identifier"):
        return None
    no_number = np.isnan(numbers_of(texts.different))
    if not 0 < no_number.sum() < len(no_number) / 2:
        return None
    first = _short(texts.different[np.argmax(no_number)])
    return (
        f"the column '{column.name}' is taken as {column.kind}, for {no_number.sum()} of its"
        f" {len(no_number)} different texts are no numbers, first '{first}'"
    )


def _guessed(name: str, texts: Texts, *, is_asked: bool) -> Column:
    different = texts.different
    pair = is_truth(different)
    if pair is not None:
        return Column(name, "truth", f"{pair[0]} or {pair[1]}", names=pair)
    values = numbers_of(different)
    if not np.isnan(values).any():
        return _of_numbers(name, texts, values, is_asked=is_asked)
    dates = _dates_of(different)
    if dates is not None:
        return Column(name, "date", _date_note(dates), dates=dates, timed=_timed(dates, different))
    once = np.bincount(texts.codes[texts.codes >= 0], minlength=len(different)) == 1
    n, n_once = len(texts.codes), int(once.sum())
    if not is_asked and n_once == n >= _FEWEST_KEYS:
        return Column(name, "identifier", "another text in each row")
    if not is_asked and n_once > max(_MANY, n / 2):
        return Column(name, "identifier", f"{n_once} of {n} rows have a text of their own")
    return _category(name, different, "text")


def _of_numbers(name: str, texts: Texts, values: NDArray[np.float64], *, is_asked: bool) -> Column:
    n, whole = len(texts.codes), bool((values == values.round()).all())
    if not is_asked and len(values) == n >= _FEWEST_KEYS:
        if whole and (np.diff(values[texts.codes]) == 1).all():
            return Column(name, "identifier", "counts up by 1")
        if whole and _KEY.fullmatch(name):
            return Column(name, "identifier", "another number in each row, named as a key")
    if any(map(_LEADING_ZERO.fullmatch, texts.different)):
        return _category(name, texts.different, "digits with leading zeros")
    span = f"{values.min():g} to {values.max():g}"
    return Column(name, "number", f"whole, {span}" if whole else span)


def _told(table: Table, name: str, told: Told) -> Column:
    if told not in get_args(Told):
        raise UserError(
            f"data.columns must say one of {', '.join(get_args(Told))} of a column, got"
            f" {name}: {told}."
        )
    different = table.columns[name].different
    note = "as data.columns says"
    if told == "category":
        return _category(name, different, note)
    if told == "truth":
        return Column(name, "truth", note, names=_told_truth(table, name))
    if told == "date":
        dates = _told_dates(table, name)
        return Column(name, "date", note, dates=dates, timed=_timed(dates, different))
    if told == "number":
        _numbers(name, table)
    return Column(name, told, note)


def _category(name: str, different: NDArray[Any], note: str) -> Column:
    return Column(name, "category", note, names=tuple(sorted(map(str, different))))


def _told_truth(table: Table, name: str) -> tuple[str, ...]:
    different = table.columns[name].different
    pair = is_truth(different) or tuple(sorted(map(str.lower, different)))
    if len(pair) != 2:
        raise UserError(
            f"the column '{name}' of {table.source} must have two texts to be truth values, got"
            f" {len(pair)}; let data.columns say category."
        )
    return pair


def _told_dates(table: Table, name: str) -> str:
    found = _dates_of(table.columns[name].different)
    if found is None:
        known = "2026-11-30, 2026-11-30T10:15, 2026/11/30, 30.11.2026, 30/11/2026 or 11/30/2026"
        raise UserError(
            f"the column '{name}' of {table.source} must have dates, all as {known} and of the last"
            f" two only one possible, got '{_short(table.columns[name].different[0])}'."
            if len(table.columns[name].different)
            else f"the column '{name}' of {table.source} must have dates, got none."
        )
    return found


def _dates_of(different: NDArray[Any]) -> str | None:
    """The one of ``DATES`` that all texts are of; None: none, or day and month may be either."""
    if not len(different):
        return None
    possible = [dates for dates in DATES if _parsed(different, dates) is not None]
    return possible[0] if len(possible) == 1 else None


def _parsed(different: Sequence[Any] | NDArray[Any], dates: str) -> NDArray[Any] | None:
    """(U,) datetimes, of the world's time; None where a text is none of the kind ``dates``."""
    shape = _ISO if dates == "ISO8601" else _DATE
    if not all(map(shape.fullmatch, different)):
        return None
    try:
        found = pd.to_datetime(list(different), format=dates, utc=True)
    except ValueError:
        return None
    return found.tz_localize(None).to_numpy().astype("datetime64[us]")


def _days(column: Column, table: Table) -> NDArray[np.float64]:
    """(U,) days since 1970-01-01."""
    different = table.columns[column.name].different
    # A data frame has dates of its own.
    for dates in (column.dates, "ISO8601"):
        found = _parsed(different, dates)
        if found is not None:
            return (found - np.datetime64(0, "us")) / _DAY
    for code, text in enumerate(different):
        if _parsed([text], column.dates) is None and _parsed([text], "ISO8601") is None:
            raise _wrong(table, column.name, code, f"a date, {_date_note(column.dates)}")
    raise UserError(
        f"{table.source}, column '{column.name}': all dates must be written in one way,"
        f" {_date_note(column.dates)}."
    )


def _date_parts(days: NDArray[np.float64], *, timed: bool) -> NDArray[np.float64]:
    """(U, 5), with a time of the day (U, 7)."""
    whole = np.floor(days)
    dates = np.datetime64(0, "D") + whole.astype(np.int64) * _DAY
    months = dates.astype("datetime64[M]").astype(np.int64) % 12
    # The first of January 1970 was a Thursday.
    circles = [months / 12, (whole + 3) % 7 / 7, *([days - whole] if timed else [])]
    angles = [2 * np.pi * share for share in circles]
    parts = [wave(angle) for angle in angles for wave in (np.sin, np.cos)]
    return np.stack([days, *parts], axis=1)


def _timed(dates: str, different: NDArray[Any]) -> bool:
    found = _parsed(different, dates)
    return found is not None and bool((found != found.astype("datetime64[D]")).any())


def _date_note(dates: str) -> str:
    return {"ISO8601": "year-month-day"}.get(dates, re.sub(r"%(.)", r"\1", dates).lower())


def _numbers(name: str, table: Table) -> NDArray[np.float64]:
    found = numbers_of(table.columns[name].different)
    wrong = np.isnan(found)
    if wrong.any():
        raise _wrong(table, name, int(np.argmax(wrong)), "a finite number of single precision")
    return found


def _codes(column: Column, table: Table) -> list[int]:
    places = {text: place for place, text in enumerate(column.names)}
    different = table.columns[column.name].different
    if column.kind == "category":
        return [places.get(str(text), -1) for text in different]
    found = [places.get(str(text).lower(), -1) for text in different]
    if -1 in found:
        raise _wrong(table, column.name, found.index(-1), f"one of {', '.join(column.names)}")
    return found


def _wrong(table: Table, name: str, code: int, rule: str) -> UserError:
    text = _short(table.columns[name].different[code])
    return UserError(
        f"{table.place(name, code)}: must be {rule}, got '{text}'; let data.columns say what else"
        " the column is."
    )


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")


def _short(text: str) -> str:
    return text if len(text) <= 30 else f"{text[:27]}..."


def as_told(columns: Mapping[str, Any] | None) -> dict[str, Any]:
    """``data.columns`` as plain texts, from any mapping."""
    return {str(name): str(kind) for name, kind in (columns or {}).items()}
