"""A program that starts a study is told where it lies and why it failed, and its end is noticed."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lightning_hpo.machine import caller


@pytest.fixture(autouse=True)
def _no_caller_is_left(monkeypatch):
    monkeypatch.setattr(caller, "_files", [])


def child(script: str, file: Path) -> subprocess.Popen[str]:
    """A process that has met its caller, us, and then runs ``script``."""
    head = "import os, signal\nfrom lightning_hpo.machine import caller\ncaller.meet()\n"
    return subprocess.Popen(
        [sys.executable, "-c", head + script],
        env=os.environ | {caller.VARIABLE: str(file), "PYTHONPATH": str(Path(__file__).parents[3])},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_the_later_news_of_a_key_counts(tmp_path):
    with child("caller.tell(a='1', b='2')\ncaller.tell(a='3')", tmp_path / "told") as process:
        assert process.wait(60) == 0
    assert caller.told_in(tmp_path / "told") == {"a": "3", "b": "2"}


# Rule: a study that a job of this one starts has that job for its caller, or nobody.
def test_the_variable_reaches_no_process_further_down(tmp_path):
    script = "print(os.environ.get(caller.VARIABLE), caller.is_present())"
    with child(script, tmp_path / "told") as process:
        assert process.stdout is not None
        assert process.stdout.read() == "None True\n"


def test_without_a_caller_nothing_is_told(monkeypatch, tmp_path):
    monkeypatch.delenv(caller.VARIABLE, raising=False)
    caller.meet()
    caller.tell(folder="x")
    assert not caller.is_present()
    assert caller.told_in(tmp_path / "told") == {}


def test_a_caller_that_is_gone_ends_the_study_as_sigterm_does(tmp_path):
    with child("print('ready', flush=True)\nsignal.pause()", tmp_path / "told") as process:
        assert process.stdout is not None and process.stdin is not None
        assert process.stdout.readline() == "ready\n"
        process.stdin.close()
        assert process.wait(60) == -signal.SIGTERM
