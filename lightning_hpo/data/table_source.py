"""A data set from one table file or two: read, typed, split into training and test, as numbers.

A process keeps what it has read last, since each fit of a study makes its data anew.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lightning_hpo.data.base import Arrays
from lightning_hpo.data.folds import holdout, latest
from lightning_hpo.data.table_files import Table, read_table
from lightning_hpo.data.table_leaks import doubts
from lightning_hpo.data.table_schema import Asked, Schema, learnt
from lightning_hpo.data.table_weights import weights_of
from lightning_hpo.errors import UserError

_KEYS = "data.train and data.test"
_FRACTION = "data.test_fraction"
# Of the test rows that are held out of a single file: of no study, so that all have the same.
_SEED = 0
_FEWEST = 2
_MOST_KEPT = 4


@dataclass(frozen=True)
class Question:
    """What is to be read, and how: two that are equal have the same answer.

    ``texts``: columns that are asked for by name. ``in_time``: rows lie in the order of time.
    """

    train: Path
    test: Path | None
    test_fraction: float | None
    asked: Asked
    texts: tuple[str, ...] = ()
    in_time: bool = False

    @property
    def files(self) -> tuple[tuple[int, int, int], ...]:
        """What tells whether a file is as it was; empty where one cannot be looked at."""
        try:
            found = [path.stat() for path in (self.train, self.test) if path is not None]
        except OSError:
            return ()
        return tuple((stat.st_ino, stat.st_size, stat.st_mtime_ns) for stat in found)


@dataclass(frozen=True)
class Source:
    """``texts``: columns of the training rows by name, (N,) each, those that were asked for.

    ``weights``: of the training rows, (N,); None: none were asked for.
    """

    schema: Schema
    arrays: Arrays
    texts: dict[str, NDArray[np.str_]]
    notes: tuple[str, ...]
    warnings: tuple[str, ...]
    weights: NDArray[np.float32] | None = None


_kept: dict[tuple[Question, tuple[tuple[int, int, int], ...]], Source] = {}


def source_of(question: Question) -> Source:
    """Raises :class:`UserError` for whatever is wrong in a file."""
    key = (question, question.files)
    if key not in _kept:
        found = _read(question)
        if len(_kept) >= _MOST_KEPT:
            _kept.clear()
        _kept[key] = found
    return _kept[key]


def _read(question: Question) -> Source:
    whole, n_dropped = _with_target(read_table(question.train, _KEYS), question.asked)
    schema = learnt(whole, question.asked, without_target=n_dropped)
    train, test = whole, None
    notes = [_dropped(question.train, n_dropped)]
    # All of the file, so that a mistake is found wherever its row goes.
    weights_of(whole, question.asked)
    if question.test is not None:
        test, n_dropped = _with_target(read_table(question.test, _KEYS), question.asked)
        notes.append(_dropped(question.test, n_dropped))
        test.require(schema.names, "the test file must have the inputs of the training file.")
    else:
        train, test, how = _split_off(whole, schema, question)
        notes.append(how)
    arrays = Arrays(
        schema.encoded(train),
        schema.target.encoded(train),
        schema.encoded(test),
        schema.target.encoded(test),
        schema.target.classes,
    )
    return Source(
        schema,
        arrays,
        {n: _texts(train, n, question.asked) for n in question.texts if n in train.columns},
        tuple(filter(None, notes)),
        tuple(doubts(schema, arrays.train_x, arrays.train_y, arrays.test_x)),
        weights_of(train, question.asked),
    )


def _with_target(table: Table, asked: Asked) -> tuple[Table, int]:
    """The rows that have one, and how many have none."""
    table.require([asked.target], "name yours with data.target.")
    gaps = table.columns[asked.target].codes < 0
    left = table.rows(~gaps) if gaps.any() else table
    if len(left) < _FEWEST:
        raise UserError(
            f"{table.source} must hold at least {_FEWEST} rows with a target, got {len(left)}."
        )
    return left, int(gaps.sum())


def _dropped(path: Path, n: int) -> str | None:
    if not n:
        return None
    return f"{n} {'row' if n == 1 else 'rows'} of {path.name} without a target left out"


def _split_off(table: Table, schema: Schema, question: Question) -> tuple[Table, Table, str]:
    """Training and test rows of one file, the same in every study, and how they were chosen."""
    share, asked = question.test_fraction, question.asked
    if share is None:
        raise UserError(
            "data=table must have test rows, got data.test=null and data.test_fraction=null; name"
            " a file with data.test=PATH, or set data.test_fraction=0.2."
        )
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 < share < 1:
        raise UserError(f"{_FRACTION} must lie in (0, 1), got {_FRACTION}={share}.")
    groups = None if asked.groups is None else _texts(table, asked.groups, asked)
    labels = schema.target.encoded(table) if schema.target.classes is not None else None
    n = len(table)
    if question.in_time:
        train, test = latest(n, val_fraction=share, key=_FRACTION)
        how = "the last rows"
    elif groups is not None:
        train, test = holdout(n, val_fraction=share, seed=_SEED, groups=groups, key=_FRACTION)
        how = "drawn by groups"
    else:
        if labels is not None:
            _require_two(schema, labels)
        train, test = holdout(n, val_fraction=share, seed=_SEED, labels=labels, key=_FRACTION)
        how = "drawn" if labels is None else "drawn by class"
    note = f"{len(test)} of {n} rows of {question.train.name} are its test, {how}, in all studies"
    return table.rows(train), table.rows(test), note


def _require_two(schema: Schema, labels: NDArray[np.int64]) -> None:
    assert schema.target.classes is not None
    counts = np.bincount(labels)
    if counts.min() < 2:
        name = schema.target.classes[int(counts.argmin())]
        raise UserError(
            f"the class '{name}' of '{schema.target.name}' must have at least 2 rows, one to train"
            " and one to test, got 1; remove it, or name a test file with data.test=PATH."
        )


def _texts(table: Table, name: str, asked: Asked) -> NDArray[np.str_]:
    """A column as it stands, (N,), for groups and labels: without gaps, which belong to nobody."""
    key = "data.groups" if name == asked.groups else "cv.groups or cv.labels"
    texts = table.columns[name]
    if texts.missing:
        raise UserError(
            f"{table.place(name, -1)}: must not be empty, since {key} names the column."
        )
    return texts.different.astype(np.str_)[texts.codes]
