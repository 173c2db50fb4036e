"""Which failures of disk and storage become one line, and what that line may promise."""

import errno
import sqlite3
from pathlib import Path

import pytest
from optuna.exceptions import StorageInternalError

from lightning_hpo.errors import StudyFailed
from lightning_hpo.storage.writable import hinders, must_be_writable


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EPERM])
def test_a_disk_that_takes_nothing_is_one_line_and_loses_nothing(number):
    with pytest.raises(StudyFailed, match="What was told is safe"), must_be_writable():
        raise OSError(number, "no")


def test_what_stands_in_a_files_place_is_named_where_it_is_the_studys(tmp_path):
    inside = str(tmp_path / "results.json")
    with pytest.raises(StudyFailed, match=r"results\.json"), must_be_writable(tmp_path):
        raise IsADirectoryError(errno.EISDIR, "is a directory", inside)
    with pytest.raises(IsADirectoryError), must_be_writable(tmp_path):
        raise IsADirectoryError(errno.EISDIR, "is a directory", "/elsewhere")


@pytest.mark.parametrize(
    ("cause", "is_safe"),
    [
        ("database or disk is full", True),
        ("attempt to write a readonly database", True),
        ("database disk image is malformed", False),
        ("no such table: trials", False),
        ("disk I/O error", False),
    ],
)
def test_only_a_whole_storage_is_called_safe(cause, is_safe):
    with pytest.raises(StudyFailed) as raised, must_be_writable():
        raise StorageInternalError from sqlite3.DatabaseError(cause)
    assert ("is safe" in str(raised.value)) == is_safe
    assert ("may be lost" in str(raised.value)) != is_safe


def test_a_file_of_the_users_own_that_may_not_be_read_hinders_no_other_trial():
    denied = PermissionError(errno.EACCES, "Permission denied", "/studies/mine/trials/3")
    assert hinders(denied, Path("/studies/mine"))
    assert not hinders(denied, Path("/studies/other"))
    assert not hinders(PermissionError(errno.EACCES, "Permission denied"), Path("/studies/mine"))
    assert hinders(OSError(errno.ENOSPC, "No space left"), None)
