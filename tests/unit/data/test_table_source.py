"""Files become training and test rows, once for all fits of a process."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from lightning_hpo.data.table_schema import Asked
from lightning_hpo.data.table_source import Question, source_of
from lightning_hpo.errors import UserError

TEXT = "size,who,y\n" + "".join(f"{k}.5,{k // 4},{'ab'[k % 2]}\n" for k in range(20))


def question(tmp_path: Path) -> Question:
    path = tmp_path / "a.csv"
    path.write_text(TEXT)
    return Question(path, None, 0.2, Asked("y"))


def test_a_file_is_read_once_until_it_changes(tmp_path: Path) -> None:
    asked = question(tmp_path)
    first = source_of(asked)
    assert source_of(replace(asked)) is first
    asked.train.write_text(TEXT + "99.5,9,a\n")
    os.utime(asked.train, ns=(1, 1))
    changed = source_of(asked)
    assert changed is not first
    assert len(changed.arrays.train_y) + len(changed.arrays.test_y) == 21


def test_a_share_of_one_file_is_its_test_class_by_class(tmp_path: Path) -> None:
    found = source_of(question(tmp_path))
    assert found.notes == ("4 of 20 rows of a.csv are its test, drawn by class, in all studies",)
    assert sorted(found.arrays.test_y.tolist()) == [0, 0, 1, 1]


def test_in_the_order_of_time_the_last_rows_are_the_test(tmp_path: Path) -> None:
    found = source_of(replace(question(tmp_path), in_time=True, asked=Asked("y", inputs=("size",))))
    assert found.arrays.test_x[:, 0].tolist() == [16.5, 17.5, 18.5, 19.5]


def test_a_group_is_never_divided(tmp_path: Path) -> None:
    asked = replace(question(tmp_path), asked=Asked("y", groups="who"), texts=("who",))
    found = source_of(asked)
    assert len(found.arrays.test_y) == 4
    assert len(set(found.texts["who"].tolist())) == 4


def test_a_table_without_test_rows_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"must have test rows, got data\.test=null and"):
        source_of(replace(question(tmp_path), test_fraction=None))
