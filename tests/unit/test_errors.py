"""Errors as one line: no guesses of others, no secrets, and no more than can be read."""

import time

import pytest
from optuna.exceptions import StorageInternalError
from sqlalchemy.exc import OperationalError

from lightning_hpo.errors import one_line


def test_optunas_guess_makes_way_for_the_databases_own_words() -> None:
    error = StorageInternalError(
        "An exception is raised during the commit. This typically happens due to invalid data in"
        " the commit, e.g. exceeding max length. "
    )
    error.__cause__ = OperationalError("INSERT INTO trials", {}, Exception("disk I/O error"))
    assert one_line(error) == "An exception is raised during the commit. (disk I/O error)"


def test_a_url_in_an_error_or_its_cause_shows_no_password() -> None:
    error = RuntimeError("no answer from postgresql://me:5ecret@db/hpo")
    error.__cause__ = OSError("tried mysql://me@db/hpo?password=5ecret")
    assert one_line(error) == (
        "no answer from postgresql://me:***@db/hpo (tried mysql://me@db/hpo?password=***)"
    )


@pytest.mark.parametrize("piece", ["x", " ", "\n", " \n", "Could not find '", "full_key: "])
def test_a_message_of_megabytes_is_cut_at_once(piece: str) -> None:
    error = RuntimeError("begin " + piece * (3_000_000 // len(piece)))
    started_s = time.perf_counter()
    line = one_line(error)
    assert time.perf_counter() - started_s < 20
    assert line.startswith("begin")
    assert "\n" not in line
    assert len(line) < 2_100


def test_an_error_that_cannot_be_shown_is_named() -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise ZeroDivisionError

    assert one_line(Mute()) == "no message, for its __str__ raised ZeroDivisionError"
