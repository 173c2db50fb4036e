"""Which columns of a table are inputs, and how a checkpoint keeps that."""

import numpy as np
import pandas as pd
import pytest

from lightning_hpo.data.table_files import Table, table_of
from lightning_hpo.data.table_schema import Asked, Schema, learnt
from lightning_hpo.errors import UserError

FRAME = pd.DataFrame(
    {
        "id": [f"u{k}" for k in range(24)],
        "size": ["1.5", "2.5"] * 12,
        "colour": ["red", "blue", "red", "green"] * 6,
        "who": ["x", "x", "y", "y"] * 6,
        "sold": ["yes", "no"] * 12,
    }
)


def table() -> Table:
    return table_of(FRAME, "a.csv")


def schema(**asked: object) -> Schema:
    return learnt(table(), Asked("sold", **asked), without_target=0)  # type: ignore[arg-type]


def test_an_identifier_is_no_input_and_a_group_neither() -> None:
    found = schema(groups="who")
    assert found.names == ("size", "colour")
    assert [column.kind for column in found.columns] == [
        "identifier",
        "number",
        "category",
        "group",
    ]
    assert [row["kind"] for row in found.described()][-1] == "target"
    assert len(found.warnings) == 1
    assert "'id' looks like an identifier" in found.warnings[0]


def test_named_inputs_stand_in_their_order_and_others_are_left_out() -> None:
    found = schema(inputs=("colour", "size"))
    assert (found.names, found.categories) == (("colour", "size"), ("colour",))
    # Blue, green, red by their names' order.
    assert found.encoded(table())[:3].tolist() == [[2, 1.5], [0, 2.5], [2, 1.5]]


def test_plain_values_make_the_same_schema_again() -> None:
    found = schema()
    again = Schema.of_state(found.state())
    assert again.names == found.names
    assert np.array_equal(again.encoded(table()), found.encoded(table()))
    assert again.target == found.target


def test_a_group_is_no_input() -> None:
    with pytest.raises(UserError, match=r"the column 'who' of data.groups cannot be an input too"):
        schema(groups="who", inputs=("who", "size"))
