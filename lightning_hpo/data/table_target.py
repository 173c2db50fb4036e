"""What a table's target is, by a stated rule, and its texts as class numbers or values.

``task=auto`` means classification where the target's texts are no numbers, or are whole numbers of
at most 20 kinds with 5 rows of each on average; else regression.
"""

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from lightning_hpo.data.table_columns import is_truth, numbers_of
from lightning_hpo.data.table_files import Table
from lightning_hpo.errors import UserError

Task = Literal["auto", "classification", "regression"]
_MOST_CLASSES, _FEWEST_ROWS = 20, 5


@dataclass(frozen=True)
class Target:
    """The column that is predicted; ``classes``: its texts in the order of their numbers.

    Numbers are in the order of their values, truth values false first, other texts sorted; None:
    it is a value. ``note``: why it is the one or the other.
    """

    name: str
    note: str
    missing: int
    distinct: int
    classes: tuple[str, ...] | None

    def encoded(self, table: Table) -> NDArray[Any]:
        """(N,) class numbers, int64, or values, float32, of a table without gaps in the target.

        Raises:
            UserError: for a class that the training file has not, and for no number.
        """
        texts = table.columns[self.name]
        if self.classes is None:
            values = numbers_of(texts.different)
            _require_all(table, self.name, ~np.isnan(values), "must be a finite number")
            return values[texts.codes].astype(np.float32)
        places = {name: place for place, name in enumerate(self.classes)}
        codes = np.array([places.get(text, -1) for text in texts.different], dtype=np.int64)
        rule = f"must be a class of the training file ({', '.join(self.classes[:10])})"
        _require_all(table, self.name, codes >= 0, rule)
        return codes[texts.codes]


def target_of(table: Table, name: str, task: Task, missing: int) -> Target:
    """By the training file's rows that have one; ``missing``: how many have none."""
    if task not in get_args(Task):
        raise UserError(
            f"data.task must be one of {', '.join(get_args(Task))}, got data.task={task}."
        )
    different = table.columns[name].different
    if len(different) < 2:
        got = f"only '{different[0]}'" if len(different) else "none"
        raise UserError(
            f"the target '{name}' of {table.source} must have at least two different values, got"
            f" {got}."
        )
    values = numbers_of(different)
    if task == "regression":
        _require_all(table, name, ~np.isnan(values), "must be a finite number for a regression")
    of_classes, note = (task == "classification", "as data.task says")
    if task == "auto":
        of_classes, note = _guessed(values, len(table))
    classes = _sorted(different, values) if of_classes else None
    return Target(name, note, missing, len(different), classes)


def _guessed(values: NDArray[np.float64], n: int) -> tuple[bool, str]:
    """Whether it is one of classes, and why."""
    if np.isnan(values).any():
        return True, f"classification: {len(values)} different texts"
    whole = bool((values == values.round()).all())
    few = len(values) <= _MOST_CLASSES and _FEWEST_ROWS * len(values) <= n
    if whole and few:
        return True, f"classification: {len(values)} different whole numbers"
    kind = "whole numbers" if whole else "numbers"
    return False, f"regression: {kind} from {values.min():g} to {values.max():g}"


def _sorted(different: NDArray[Any], values: NDArray[np.float64]) -> tuple[str, ...]:
    texts = [str(text) for text in different]
    if not np.isnan(values).any():
        return tuple(texts[place] for place in np.argsort(values, kind="stable"))
    pair = is_truth(texts)
    return tuple(sorted(texts, key=None if pair is None else lambda text: pair.index(text.lower())))


def _require_all(table: Table, name: str, right_u: NDArray[np.bool_], rule: str) -> None:
    if not right_u.all():
        code = int(np.argmin(right_u))
        text = table.columns[name].different[code]
        raise UserError(f"{table.place(name, code)}: {rule}, got '{text}'.")
