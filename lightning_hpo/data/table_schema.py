"""What a table's training file has taught: its columns and its target, by which any is encoded."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_hpo.data.table_columns import Column, encoded, mixed, typed
from lightning_hpo.data.table_files import Table
from lightning_hpo.data.table_target import Target, Task, target_of
from lightning_hpo.errors import UserError


@dataclass(frozen=True)
class Asked:
    """What a user says of the columns; see ``TableDataModule``."""

    target: str
    task: Task = "auto"
    inputs: tuple[str, ...] | None = None
    columns: tuple[tuple[str, str], ...] = ()
    groups: str | None = None
    weights: str | None = None


@dataclass(frozen=True)
class Schema:
    """Columns in the order of the file, or of ``inputs``, without the target."""

    columns: tuple[Column, ...]
    target: Target
    warnings: tuple[str, ...] = ()

    @property
    def inputs(self) -> tuple[Column, ...]:
        return tuple(column for column in self.columns if column.is_input)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.inputs)

    @property
    def parts(self) -> tuple[str, ...]:
        """The kind of each stored number (R,)."""
        return tuple(part for column in self.inputs for part in column.parts)

    @property
    def categories(self) -> tuple[str, ...]:
        """The names of the categories among them."""
        return tuple(column.name for column in self.inputs if column.kind == "category")

    def encoded(self, table: Table) -> NDArray[np.float32]:
        """The stored numbers (N, R) of a table that has the inputs."""
        return np.concatenate([encoded(column, table) for column in self.inputs], axis=1)

    def described(self) -> list[dict[str, Any]]:
        """A row for each column, the target last."""
        keys = ("name", "kind", "missing", "distinct", "note")
        target = {"kind": "target"} | {k: getattr(self.target, k) for k in keys if k != "kind"}
        rows = [{key: getattr(column, key) for key in keys} for column in self.columns]
        return [*rows, {key: target[key] for key in keys}]

    def state(self) -> dict[str, Any]:
        """As plain values."""
        return {"columns": [asdict(c) for c in self.columns], "target": asdict(self.target)}

    @classmethod
    def of_state(cls, state: Mapping[str, Any]) -> "Schema":
        columns = tuple(Column(**column) for column in state["columns"])
        return cls(columns, Target(**state["target"]))


def learnt(table: Table, asked: Asked, *, without_target: int) -> Schema:
    """Of the training file's rows that have a target; ``without_target``: how many have none.

    Raises:
        UserError: for what does not fit together.
    """
    told = dict(asked.columns)
    _check(table, asked, told)
    target = target_of(table, asked.target, asked.task, without_target)
    names = [name for name in table.columns if name != asked.target]
    if asked.inputs is not None:
        names = [*asked.inputs, *(name for name in names if name not in asked.inputs)]
    columns = [_column(table, name, asked, told) for name in names]
    if not any(column.is_input for column in columns):
        kinds = ", ".join(f"{c.name} ({c.kind}: {c.note})" for c in columns) or "no other column"
        raise UserError(
            f"{table.source} must have at least one input beside the target '{asked.target}', got"
            f" {kinds}; data.columns may say what a column is."
        )
    return Schema(tuple(columns), target, tuple(_doubts(table, columns, asked)))


def _column(table: Table, name: str, asked: Asked, told: Mapping[str, Any]) -> Column:
    if name == asked.groups:
        column = typed(table, name, told="ignored")
        return replace(column, kind="group", note="keeps together what belongs together")
    if name == asked.weights:
        column = typed(table, name, told="ignored")
        return replace(column, kind="weight", note="weighs the rows in the training loss")
    is_asked = asked.inputs is not None and name in asked.inputs
    if asked.inputs is not None and not is_asked:
        return replace(typed(table, name, told="ignored"), note="not in data.inputs")
    return typed(table, name, told=told.get(name), is_asked=is_asked)


def _doubts(table: Table, columns: Sequence[Column], asked: Asked) -> list[str]:
    found = []
    for column in columns:
        as_number = mixed(column, table.columns[column.name])
        if as_number is not None:
            found.append(as_number)
        elif column.kind == "identifier":
            found.append(
                f"the column '{column.name}' looks like an identifier ({column.note}) and is left"
                " out; data.columns may say that it is a number or a category"
            )
        elif asked.inputs is not None and column.name in asked.inputs:
            guess = typed(table, column.name)
            if guess.kind == "identifier":
                found.append(
                    f"the input '{column.name}' looks like an identifier ({guess.note}): what is"
                    " learnt of it holds for these rows alone"
                )
    return found


def _check(table: Table, asked: Asked, told: Mapping[str, Any]) -> None:
    table.require([asked.target], "name yours with data.target.")
    named = {
        "data.inputs": asked.inputs or (),
        "data.columns": tuple(told),
        "data.groups": () if asked.groups is None else (asked.groups,),
        "data.weights": () if asked.weights is None else (asked.weights,),
    }
    for key, names in named.items():
        table.require(names, f"{key} names one that is not there.")
        if asked.target in names:
            raise UserError(f"{key} must not name the target, got '{asked.target}' in both.")
    repeated = [n for n in named["data.inputs"] if named["data.inputs"].count(n) > 1]
    if repeated:
        raise UserError(f"data.inputs must name each column once, got {repeated[0]} again.")
    for key, name in (("groups", asked.groups), ("weights", asked.weights)):
        if name is not None and name in (*told, *named["data.inputs"]):
            raise UserError(f"the column '{name}' of data.{key} cannot be an input too.")
    if asked.weights is not None and asked.weights == asked.groups:
        raise UserError(f"data.weights must not name the column of data.groups, '{asked.groups}'.")
