"""The command that runs a trial again: its words, its exit status, its mistakes in one line."""

import sys
from pathlib import Path

import pytest
from omegaconf.errors import ConfigKeyError

from lightning_hpo.errors import UserError
from lightning_hpo.jobs.again import Comparison
from lightning_hpo.rerun import main


def with_rerun(monkeypatch: pytest.MonkeyPatch, found: Comparison | Exception) -> list[object]:
    """What the command asks to be run; it finds ``found``."""
    asked: list[object] = []

    def stand_in(study_dir: Path, number: int, *, trust: bool) -> Comparison:
        asked.append((study_dir, number, trust))
        if isinstance(found, Exception):
            raise found
        return found

    monkeypatch.setattr(sys.modules[main.__module__], "rerun", stand_in)
    monkeypatch.setattr(sys, "stdout", sys.stdout)
    monkeypatch.setattr(sys, "stderr", sys.stderr)
    return asked


@pytest.mark.parametrize(
    ("repeated", "status", "line"),
    [
        ([0.5, 0.25], 0, "trial 3 again: the same 2 values, the last 0.25\n"),
        (
            [0.5, 0.5],
            1,
            "trial 3 again: recorded 2 values, repeated 2; the largest difference is 0.25\n",
        ),
    ],
)
def test_equal_values_end_with_0_and_others_with_1(
    repeated: list[float],
    status: int,
    line: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked = with_rerun(monkeypatch, Comparison([0.5, 0.25], repeated))
    assert main(["studies/a", "3"]) == status
    assert capsys.readouterr().out == line
    assert asked == [(Path("studies/a"), 3, False)]


def test_trust_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = with_rerun(monkeypatch, Comparison([1.0], [1.0]))
    assert main(["studies/a", "3", "--trust"]) == 0
    assert asked == [(Path("studies/a"), 3, True)]


@pytest.mark.parametrize("error", [UserError("no\nsuch trial"), ConfigKeyError("no such trial")])
def test_a_mistake_is_one_line_and_status_1(
    error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with_rerun(monkeypatch, error)
    assert main(["studies/a", "3"]) == 1
    told = capsys.readouterr()
    assert (told.out, told.err) == ("", "lightning-hpo: no such trial\n")


# Rule: a fault of our own is not disguised as the user's.
def test_another_error_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    with_rerun(monkeypatch, ZeroDivisionError("by zero"))
    with pytest.raises(ZeroDivisionError):
        main(["studies/a", "3"])


@pytest.mark.parametrize("arguments", [[], ["studies/a"], ["studies/a", "best"]])
def test_what_cannot_be_read_is_explained(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "usage: python -m lightning_hpo.rerun" in capsys.readouterr().err
