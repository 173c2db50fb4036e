"""Doubts about a table, in words: what tells the target, rows that occur twice, uneven classes.

Shapes: N training rows, T test rows, R stored numbers; of M features, those of one column.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_hpo.data.table_columns import Column
from lightning_hpo.data.table_schema import Schema

Rows = NDArray[np.float32]
_CORRELATED, _UNEVEN = 0.999, 5


def doubts(schema: Schema, train: Rows, train_y: NDArray[Any], test: Rows) -> Iterator[str]:
    """What a user should see before anything trains, a sentence each."""
    yield from schema.warnings
    yield from _tellers(schema, train, train_y)
    yield from _repeated(train, train_y, test)
    if schema.target.classes is not None:
        yield from _uneven(schema.target.classes, np.bincount(train_y.astype(int)))
    yield from _new_names(schema, train, test)


def _tellers(schema: Schema, train: Rows, y: NDArray[Any]) -> Iterator[str]:
    place = 0
    for column in schema.inputs:
        values = train[:, place]
        place += len(column.parts)
        how = told_by(column, values, y, of_classes=schema.target.classes is not None)
        if how is not None:
            yield (
                f"the input '{column.name}' {how} the target '{schema.target.name}': if it is not"
                " known when a prediction is made, leave it out with"
                f" 'data.columns={{{column.name}: ignored}}'"
            )


def told_by(column: Column, values: Rows, y: NDArray[Any], *, of_classes: bool) -> str | None:
    """How an input (N,) gives the target away, as a verb with the target as its object."""
    known = ~np.isnan(values)
    values, y = values[known], np.asarray(y[known], dtype=np.float64)
    if len(values) < 3 or (values == values[0]).all() or (y == y[0]).all():
        return None
    if column.kind != "category":
        if not of_classes and np.array_equal(values.astype(np.float32), y.astype(np.float32)):
            return "equals"
        # Names that have numbers correlate with nothing, but for two of them.
        if not of_classes or len(np.unique(y)) == 2:
            r = abs(float(np.corrcoef(values.astype(np.float64), y)[0, 1]))
            if r > _CORRELATED:
                return f"has a correlation of {r:.5g} with"
    return "determines" if _determines(values, y) else None


def _determines(values: Rows, y: NDArray[np.float64]) -> bool:
    """Whether each value stands for one target, over too many rows for that to be chance."""
    n_values, n_targets = len(np.unique(values)), len(np.unique(y))
    fewest = 2 if n_values == n_targets else 10
    if fewest * n_values > len(y):
        return False
    return len(np.unique(np.stack((values.astype(np.float64), y)), axis=1).T) == n_values


def _repeated(train: Rows, train_y: NDArray[Any], test: Rows) -> Iterator[str]:
    seen, tested = hashes(train), hashes(test)
    n_shared = int(np.isin(tested, seen).sum())
    if n_shared:
        yield (
            f"{n_shared} of {len(tested)} test rows have the very inputs of a training row, so the"
            " test is easier than new data: data.groups keeps rows together that belong together"
        )
    n_twice = len(seen) - len(np.unique(seen))
    if not n_twice:
        return
    with_y = hashes(np.column_stack((train, train_y.astype(np.float32))))
    n_odd = len(np.unique(with_y)) - len(np.unique(seen))
    odd = f", {n_odd} of them with another target" if n_odd else ""
    yield (
        f"{n_twice} of {len(seen)} training rows repeat the inputs of an earlier one{odd}: folds"
        " may train on a row and validate on its copy"
    )


def hashes(rows: Rows) -> NDArray[np.uint64]:
    """(N,): equal for rows that are equal bit for bit, gaps too; for others, as good as never."""
    bits = np.ascontiguousarray(rows + np.float32(0)).view(np.uint32)
    random = np.random.default_rng(0)
    found = np.zeros(len(rows), dtype=np.uint64)
    for place in range(rows.shape[1]):
        factor = random.integers(1, 2**63, dtype=np.uint64) | np.uint64(1)
        found = (found ^ (bits[:, place].astype(np.uint64) + np.uint64(1))) * factor
        found ^= found >> np.uint64(29)
    return found


def too_few(classes: Sequence[str], counts: Sequence[int], n_splits: int) -> Iterator[str]:
    """Classes that have fewer training rows than there are folds."""
    for name, n in zip(classes, counts, strict=True):
        if n < n_splits:
            yield (
                f"the class '{name}' has {n} training rows for {n_splits} folds, so some folds"
                " validate without it"
            )


def _uneven(classes: Sequence[str], counts: NDArray[np.integer]) -> Iterator[str]:
    n_least, least = min(zip(counts.tolist(), classes, strict=True))
    n_most, most = max(zip(counts.tolist(), classes, strict=True))
    if n_most > _UNEVEN * n_least:
        yield (
            f"the classes are out of balance: '{most}' has {n_most} training rows, '{least}'"
            f" {n_least}; an accuracy hides the small classes (monitor=val/balanced_accuracy,"
            " model.class_weights=balanced)"
        )


def _new_names(schema: Schema, train: Rows, test: Rows) -> Iterator[str]:
    coded = [place for place, part in enumerate(schema.parts) if part == "category"]
    for name, place in zip(schema.categories, coded, strict=True):
        n_new = int((~np.isin(test[:, place], train[:, place]) & ~np.isnan(test[:, place])).sum())
        if n_new:
            yield f"{n_new} of {len(test)} test rows have a '{name}' that no training row has"
