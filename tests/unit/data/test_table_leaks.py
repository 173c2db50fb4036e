"""What a table should be doubted for, in words, by tables in which it is so."""

from pathlib import Path

import numpy as np
import pytest

from lightning_hpo.data.table import TableDataModule
from lightning_hpo.data.table_leaks import hashes

RNG = np.random.default_rng(0)
NOISE = RNG.normal(size=80).round(4)
VALUES = RNG.normal(size=80).round(4)
CLASSES = np.where(RNG.random(80) < 0.5, "no", "yes")


def warnings(tmp_path: Path, target: object, others: dict[str, object], **options: object) -> str:
    columns = {"noise": NOISE, **others, "y": target}
    lines = [",".join(columns)]
    lines += [",".join(map(str, row)) for row in zip(*columns.values(), strict=True)]
    (tmp_path / "a.csv").write_text("\n".join(lines) + "\n")
    data = TableDataModule(train=tmp_path / "a.csv", target="y", test_fraction=0.25, **options)
    data.setup("fit")
    return "\n".join(data.description()["warnings"])


def test_nothing_is_said_of_sound_tables(tmp_path: Path) -> None:
    assert warnings(tmp_path, VALUES, {"x": VALUES + NOISE}) == ""
    assert warnings(tmp_path, CLASSES, {"x": VALUES, "c": np.repeat(list("abcd"), 20)}) == ""


def test_a_copy_of_the_target(tmp_path: Path) -> None:
    said = warnings(tmp_path, VALUES, {"x": VALUES})
    assert "the input 'x' equals the target 'y': if it is not known when" in said
    assert "leave it out with 'data.columns={x: ignored}'" in said


def test_nearly_the_target(tmp_path: Path) -> None:
    said = warnings(tmp_path, VALUES, {"x": 1000 - 3 * VALUES + NOISE / 1000})
    assert "the input 'x' has a correlation of 1 with the target 'y'" in said
    assert warnings(tmp_path, VALUES, {"x": VALUES + NOISE / 5}) == ""


@pytest.mark.parametrize(
    "teller",
    [
        np.where(CLASSES == "no", "N", "J"),
        np.where(CLASSES == "no", 17, 4),
        # Many names, but each for one class.
        np.char.add(CLASSES.astype("U8"), (np.arange(80) % 3).astype("U8")),
    ],
)
def test_the_target_by_another_name(tmp_path: Path, teller: object) -> None:
    said = warnings(tmp_path, CLASSES, {"x": teller})
    assert "the input 'x' " in said and "the target 'y'" in said


def test_an_identifier_is_said_to_be_left_out(tmp_path: Path) -> None:
    said = warnings(tmp_path, VALUES, {"row": np.arange(80)})
    assert said == (
        "the column 'row' looks like an identifier (counts up by 1) and is left out; data.columns"
        " may say that it is a number or a category"
    )
    said = warnings(tmp_path, VALUES, {"row": np.arange(80)}, inputs=["row", "noise"])
    assert "the input 'row' looks like an identifier (counts up by 1): what is learnt" in said


def test_rows_that_are_trained_on_and_tested(tmp_path: Path) -> None:
    # Each of 40 rows twice: some pairs are divided between training and test, others are not.
    said = warnings(tmp_path, np.tile(VALUES[:40], 2), {"noise": np.tile(NOISE[:40], 2)})
    assert " of 20 test rows have the very inputs of a training row" in said
    assert " of 60 training rows repeat the inputs of an earlier one: folds may train" in said


def test_rows_with_another_target(tmp_path: Path) -> None:
    said = warnings(tmp_path, VALUES, {"noise": np.tile(NOISE[:40], 2)})
    assert "of them with another target: folds may train" in said


def test_uneven_classes(tmp_path: Path) -> None:
    target = np.where(np.arange(80) < 76, "no", "yes")
    said = warnings(tmp_path, target, {})
    assert said.startswith("the classes are out of balance: 'no' has 57 training rows, 'yes' 3;")


# Rule: gaps are equal to gaps, and 0 to -0.
def test_hashes_tell_rows_apart() -> None:
    rows = np.array([[0, np.nan], [-0.0, np.nan], [np.nan, 0], [1, 2], [2, 1]], dtype=np.float32)
    found = hashes(rows).tolist()
    assert found[0] == found[1] and len(set(found)) == 4
