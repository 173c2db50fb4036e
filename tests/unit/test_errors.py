"""Errors as one line: no guesses of others, no secrets, and no more than can be read."""

import sys
import time

import pytest
from optuna.exceptions import StorageInternalError
from sqlalchemy.exc import OperationalError

from lightning_hpo.errors import (
    Interrupted,
    StudyFailed,
    UserError,
    accepting,
    did_you_mean,
    missing_package,
    one_line,
    with_type,
)


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


class Frame(Exception):
    """An error whose message the test chooses."""


def test_several_lines_become_one() -> None:
    assert one_line(Frame(" a\n  b\tc \n")) == "a b c"


def test_an_error_without_words_is_named_by_its_type() -> None:
    assert one_line(KeyboardInterrupt()) == "KeyboardInterrupt"
    assert one_line(Frame("  \n ")) == "Frame"


# Rule: the cause is told behind what it caused, unless that says so already.
@pytest.mark.parametrize(
    ("text", "cause", "line"),
    [
        ("cannot save", OSError("disk full"), "cannot save (disk full)"),
        ("cannot save: disk full", OSError("disk full"), "cannot save: disk full"),
        ("", OSError("disk full"), "Frame (disk full)"),
    ],
)
def test_the_cause_is_told_once(text: str, cause: Exception, line: str) -> None:
    error = Frame(text)
    error.__cause__ = cause
    assert one_line(error) == line


# Rule: of Hydra's messages the rule, the value and the options stay.
@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            "In 'config': Could not find 'model/cnm'\n\nAvailable options in 'model':\n\tcnn\n"
            "\tfc\nConfig search path:\n\tprovider=main, path=file:///home",
            "In 'config': Could not find 'model/cnm'. Available options in 'model': cnn fc"
            " Did you mean 'cnn'?",
        ),
        (
            "Could not override 'sead'.\nKey 'sead' is not in struct\n    full_key: sead\n"
            "    object_type=dict\n\nSet the environment variable HYDRA_FULL_ERROR=1 for a trace",
            "Could not override 'sead'. Key 'sead' is not in struct",
        ),
        (
            "Error parsing override 'a=['\nmissing ']'\nSee https://hydra.cc/docs/x for details",
            "missing ']'",
        ),
    ],
)
def test_hydras_messages_are_cut_to_what_helps(text: str, line: str) -> None:
    assert one_line(Frame(text)) == line


# Rule: a user's mistake says enough by its words; any other error is named by its type.
def test_the_type_stands_before_what_is_no_mistake_of_the_user() -> None:
    assert with_type(ZeroDivisionError("by zero")) == "ZeroDivisionError: by zero"
    assert with_type(UserError("n must be 1, got 2.")) == "n must be 1, got 2."
    assert with_type(StudyFailed("none completed")) == "none completed"


@pytest.mark.parametrize(
    ("name", "known", "hint"),
    [
        ("val/los", ["val/loss", "train/loss"], " Did you mean 'val/loss'?"),
        ("adam", {"adamw": 1, "sgd": 2}, " Did you mean 'adamw'?"),
        ("zebra", ["val/loss", "train/loss"], ""),
        ("x", [], ""),
    ],
)
def test_a_suggestion_is_made_where_something_comes_close(name, known, hint) -> None:
    assert did_you_mean(name, known) == hint


# Rule: a library that catches every Exception does not take an interrupt for one of its own.
def test_an_interrupt_is_no_exception_and_knows_its_signal() -> None:
    interrupt = Interrupted(15)
    assert not isinstance(interrupt, Exception)
    assert (interrupt.signum, str(interrupt)) == (15, "interrupted by signal 15")


def test_a_package_that_is_missing_is_named_with_the_command_that_gets_it() -> None:
    said = str(missing_package("logger=wandb", "wandb"))
    assert said == (
        f"logger=wandb needs a package that is not installed: {sys.executable} -m pip install wandb"
    )


# Rule: what a constructor raises of its arguments names whose they are; a line of ours stays.
def test_what_refuses_its_settings_is_named() -> None:
    rule = r"^pruner must accept its settings, but: bad n$"
    with pytest.raises(UserError, match=rule), accepting("pruner"):
        raise ValueError("bad n")
    with pytest.raises(UserError, match=r"^ours$"), accepting("pruner"):
        raise UserError("ours")
    with pytest.raises(KeyError), accepting("pruner"):
        raise KeyError("no argument")
