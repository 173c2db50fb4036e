"""What a column is taken for, and why; the numbers that its texts become."""

from math import isnan, nan
from typing import Any

import numpy as np
import pytest

from lightning_hpo.data.table_columns import Column, encoded, mixed, typed
from lightning_hpo.data.table_files import Table, Texts
from lightning_hpo.errors import UserError

TEN = [str(k) for k in range(1, 11)]


def table(values: list[str], name: str = "x") -> Table:
    return Table("a.csv", {name: Texts.of(values)}, np.arange(2, len(values) + 2))


def of(values: list[str], name: str = "x", **options: Any) -> Column:
    return typed(table(values, name), name, **options)


def numbers(column: Column, values: list[str]) -> list[list[float]]:
    return encoded(column, table(values)).tolist()


@pytest.mark.parametrize(
    ("values", "kind", "note"),
    [
        (["1.5", "2", "-3e2"], "number", "-300 to 2"),
        (["1", "2", "", "2"], "number", "whole, 1 to 2"),
        (["0", "1", "1"], "number", "whole, 0 to 1"),
        (["0.5", "01.5"], "number", "0.5 to 1.5"),
        (["1", "", "1"], "number", "whole, 1 to 1"),
        # Too large for single precision, infinite, or with Python's own underscores.
        (["1e39", "2"], "category", "text"),
        (["inf", "2"], "category", "text"),
        (["1_000", "2"], "category", "text"),
        (["1,5", "2"], "category", "text"),
        (["a", "b", "a"], "category", "text"),
        (["01234", "99999", "01234"], "category", "digits with leading zeros"),
        (["only", "", "only"], "category", "text"),
        (["Yes", "no", ""], "truth", "no or yes"),
        (["TRUE", "False"], "truth", "false or true"),
        (["y", "n"], "truth", "n or y"),
        (["yes", "true"], "category", "text"),
        (["2026-01-31", "2025-12-01"], "date", "year-month-day"),
        (["2026-01-31T10:00:00Z", "2026-01-31 11:30"], "date", "year-month-day"),
        (["2026/01/31"] * 2 + ["2026/02/01"], "date", "y/m/d"),
        (["31.01.2026", "01.02.2026"], "date", "d.m.y"),
        (["31/01/2026", "01/02/2026"], "date", "d/m/y"),
        (["01/31/2026", "02/01/2026"], "date", "m/d/y"),
        # Day and month may be either, and the thirtieth of February is no date.
        (["01/02/2026", "03/04/2026"], "category", "text"),
        (["2026-02-30", "2026-02-01"], "category", "text"),
        (["5", "5"], "constant", "always '5'"),
        (["", "NA", "n/a", "?"], "constant", "no values"),
        (TEN, "identifier", "counts up by 1"),
        (TEN[:9], "number", "whole, 1 to 9"),
        ([f"{k}.5" for k in TEN], "number", "1.5 to 10.5"),
        ([*TEN[:8], "10", "9"], "number", "whole, 1 to 10"),
        ([f"name {k}" for k in TEN], "identifier", "another text in each row"),
        (
            [f"n{k}" for k in range(51)] + ["b"] * 40,
            "identifier",
            "51 of 91 rows have a text of their own",
        ),
        ([f"n{k}" for k in range(51)] + ["b"] * 60, "category", "text"),
    ],
)
def test_a_column_is_what_its_texts_say(values: list[str], kind: str, note: str) -> None:
    found = of(values)
    assert (found.kind, found.note) == (kind, note)


@pytest.mark.parametrize("name", ["id", "ID", "patient_id", "Order-Key", "Unnamed: 0"])
def test_numbers_that_all_differ_are_a_key_by_their_name(name: str) -> None:
    mixed_up = [*TEN[:8], "10", "9"]
    assert of(mixed_up, name).kind == "identifier"
    assert of(mixed_up, "humid").kind == "number"
    # A tenth that occurs twice is no key.
    assert of([*TEN[:9], "9"], name).kind == "number"


def test_what_is_asked_for_is_no_identifier() -> None:
    assert of(TEN, is_asked=True).kind == "number"
    assert of([f"n{k}" for k in TEN], is_asked=True).kind == "category"


def test_gaps_and_different_texts_are_counted() -> None:
    found = of(["a", "", "b", "NaN", " a "])
    assert (found.missing, found.distinct, found.names) == (2, 2, ("a", "b"))


@pytest.mark.parametrize(
    ("values", "told", "kind"),
    [
        (["1", "2"], "category", "category"),
        (["a", "b"], "ignored", "ignored"),
        (TEN, "number", "number"),
        (["1", "0"], "truth", "truth"),
        (["2026-01-31", ""], "date", "date"),
    ],
)
def test_what_is_told_wins(values: list[str], told: Any, kind: str) -> None:
    found = of(values, told=told)
    assert (found.kind, found.note) == (kind, "as data.columns says")


@pytest.mark.parametrize(
    ("values", "told", "message"),
    [
        (["1", "x"], "number", "a.csv, line 3, column 'x': must be a finite number .* got 'x'"),
        (["1", "2", "3"], "truth", "must have two texts to be truth values, got 3"),
        (["01/02/2026"], "date", "of the last two only one possible, got '01/02/2026'"),
        (["", ""], "date", "must have dates, got none"),
        (["1"], "real", "one of number, category, date, truth, ignored of a column, got x: real"),
    ],
)
def test_what_is_told_wrongly_is_one_line(values: list[str], told: Any, message: str) -> None:
    with pytest.raises(UserError, match=message) as refused:
        of(values, told=told)
    assert "\n" not in str(refused.value)


def test_numbers_are_as_they_stand_and_gaps_none() -> None:
    column = of(["1.5", "2"])
    assert numbers(column, ["3", "1.5"]) == [[3], [1.5]]
    assert isnan(numbers(column, ["?"])[0][0])


# Rule: codes are the places of the sorted names of the training file; -1 is another name.
def test_categories_are_places_of_their_names() -> None:
    found = np.array(numbers(of(["b", "a", "c", "b"]), ["c", "a", "", "d"]))[:, 0]
    assert np.array_equal(found, [2, 0, nan, -1], equal_nan=True)


def test_truth_values_are_read_in_any_case() -> None:
    column = of(["Yes", "no"])
    assert numbers(column, ["YES", "No"]) == [[1], [0]]
    with pytest.raises(UserError, match=r"line 3, .*: must be one of no, yes, got 'maybe'"):
        numbers(column, ["yes", "maybe"])


# Rule: days since 1970, then month of the year and day of the week on circles.
def test_dates_are_days_and_points_on_circles() -> None:
    column = of(["1970-01-01", "1970-04-05", ""])
    found = np.array(numbers(column, ["1970-01-01", "1970-04-05", ""]))
    # A Thursday in January, and a Sunday in April: a quarter of the year is a quarter turn.
    thursday, sunday = 2 * np.pi * 3 / 7, 2 * np.pi * 6 / 7
    expected = [
        [0, 0, 1, np.sin(thursday), np.cos(thursday)],
        [94, 1, 0, np.sin(sunday), np.cos(sunday)],
        [nan] * 5,
    ]
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert column.parts == ("number",) * 5


def test_a_time_of_the_day_is_a_circle_too() -> None:
    column = of(["1970-01-02 06:00", "1970-01-02"])
    assert column.timed and len(column.parts) == 7
    found = encoded(column, table(["1970-01-02T06:00:00+00:00"]))[0]
    np.testing.assert_allclose(found[[0, 5, 6]], [1.25, 1, 0], atol=1e-6)


def test_other_dates_are_read_as_the_training_file_writes_them() -> None:
    column = of(["31.12.2025", "01.02.2026"])
    assert numbers(column, ["01.02.1970"])[0][0] == 31
    # A data frame's own.
    assert numbers(column, ["1970-02-01T00:00:00"])[0][0] == 31
    with pytest.raises(UserError, match=r"line 2, .* must be a date, d\.m\.y, got '02/01/1970'"):
        numbers(column, ["02/01/1970"])


def test_a_column_of_numbers_with_a_few_texts_is_doubted() -> None:
    values = [*TEN[:9], "unknown", "9"]
    said = mixed(of(values), Texts.of(values))
    assert (
        said is not None and "1 of its 10 different texts are no numbers, first 'unknown'" in said
    )
    assert mixed(of(TEN), Texts.of(TEN)) is None
    assert mixed(of(["a", "b", "1"]), Texts.of(["a", "b", "1"])) is None


# Rule: who fills a sample by hand must know the codes of a category and the parts of a date.
def test_each_stored_number_has_a_name() -> None:
    assert Column("age", "number").stored_names == ("age",)
    city = Column("city", "category", names=("Bonn", "Rome"))
    assert city.stored_names == ("city (0 = Bonn, 1 = Rome)",)
    assert Column("day", "date", dates="%Y-%m-%d").stored_names == (
        "day (1 of 5)",
        "day (2 of 5)",
        "day (3 of 5)",
        "day (4 of 5)",
        "day (5 of 5)",
    )
