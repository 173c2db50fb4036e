"""What a target is, and its texts as class numbers or values."""

import numpy as np
import pandas as pd
import pytest

from lightning_hpo.data.table_files import Table, table_of
from lightning_hpo.data.table_target import target_of
from lightning_hpo.errors import UserError


def of(values: list[str]) -> Table:
    return table_of(pd.DataFrame({"y": values}), "a.csv")


@pytest.mark.parametrize(
    ("values", "classes"),
    [
        (["10", "9", "2"] * 5, ("2", "9", "10")),
        (["Yes", "No"] * 5, ("No", "Yes")),
        (["b", "a"] * 5, ("a", "b")),
        (["0.5", "1.5"] * 5, None),
        # 21 whole numbers, or too few rows of each.
        ([str(k) for k in range(21)] * 6, None),
        (["1", "2", "3"] * 4, None),
    ],
)
def test_the_task_follows_from_the_target(
    values: list[str], classes: tuple[str, ...] | None
) -> None:
    assert target_of(of(values), "y", "auto", 0).classes == classes


def test_what_is_asked_for_wins() -> None:
    as_values = target_of(of(["1", "2"] * 5), "y", "regression", 3)
    assert (as_values.classes, as_values.missing, as_values.distinct) == (None, 3, 2)
    assert as_values.note == "as data.task says"
    assert target_of(of(["1.5", "2.5"]), "y", "classification", 0).classes == ("1.5", "2.5")


def test_classes_are_numbered_in_their_order_and_values_stand_as_they_are() -> None:
    target = target_of(of(["b", "a", "b"]), "y", "auto", 0)
    assert target.encoded(of(["a", "b", "b", "a"])).tolist() == [0, 1, 1, 0]
    values = target_of(of(["1.5", "-2", "1e3"]), "y", "auto", 0).encoded(of(["-2", "1.5"]))
    assert (values.tolist(), values.dtype) == ([-2.0, 1.5], np.float32)


def test_a_class_that_the_training_file_has_not_is_one_line() -> None:
    target = target_of(of(["b", "a"] * 5), "y", "auto", 0)
    with pytest.raises(UserError, match=r"must be a class of the training file \(a, b\), got 'c'"):
        target.encoded(of(["a", "c"]))


def test_one_value_is_no_target() -> None:
    with pytest.raises(UserError, match="at least two different values, got only 'a'"):
        target_of(of(["a", "a"]), "y", "auto", 0)
