"""What a study says of a table's columns before it trains: a line for each kind."""

from typing import Any

from lightning_hpo.protocol.columns import column_words
from lightning_hpo.protocol.messages import Facts


def column(name: str, kind: str, note: str = "", missing: int = 0) -> dict[str, Any]:
    return {"name": name, "kind": kind, "note": note, "missing": missing, "distinct": 3}


COLUMNS = [
    column("id", "identifier", "counts up by 1"),
    column("age", "number", "whole, 1 to 9", missing=2),
    column("city", "category", "text", missing=1),
    column("size", "number", "0.5 to 9"),
    column("note", "ignored", "as data.columns says"),
    column("y", "target", "classification: 3 different texts"),
]


def test_a_line_for_each_kind() -> None:
    assert list(column_words(COLUMNS)) == [
        "taken as identifier: id (counts up by 1)",
        "taken as number: age (2 missing), size",
        "taken as category: city (text, 3 different, 1 missing)",
        "taken as ignored: note",
        "taken as target: y (classification: 3 different texts)",
    ]


def test_many_columns_of_a_kind_are_counted() -> None:
    (line,) = column_words([column(f"x{k}", "number") for k in range(13)])
    assert line == "taken as number: x0, x1, x2, x3, x4, x5, x6, x7, x8, x9, 3 more"


# Rule: before the remarks, whether or not a study is asked to say more.
def test_a_study_says_it_before_it_trains() -> None:
    facts = Facts("table", None, 9, "cpu", remarks=("a doubt",), description={"columns": COLUMNS})
    assert list(facts.words(verbose=False)) == [*column_words(COLUMNS), "a doubt"]
    assert list(Facts("data", None, 9, "cpu").words(verbose=False)) == []
