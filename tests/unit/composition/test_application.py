"""Another application's sweep ends as ours do: one line and status 1, or the signal's status."""

import signal

import pytest

from lightning_hpo.composition import application
from lightning_hpo.errors import Interrupted, StudyFailed


def task(cfg: object) -> None:
    raise AssertionError("never called")


def another(cfg: object) -> None:
    raise AssertionError("never called")


def test_an_application_is_ours_by_its_function_alone(monkeypatch):
    monkeypatch.setattr(application, "_ours", set())
    application.declare_ours(task)
    assert application.is_ours(task)
    assert not application.is_ours(another)


def test_a_failure_is_one_line_and_status_1(capsys, monkeypatch):
    monkeypatch.delenv("HYDRA_FULL_ERROR", raising=False)
    with pytest.raises(SystemExit) as ended, application.ending_as_we_do():
        raise StudyFailed("no way to\npostgresql://me:5ecret@host/db")
    assert ended.value.code == 1
    assert capsys.readouterr().err == "lightning-hpo: no way to postgresql://me:***@host/db\n"


@pytest.mark.parametrize(("signum", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupt_is_its_status_without_a_word(signum, status, capsys):
    with pytest.raises(SystemExit) as ended, application.ending_as_we_do():
        raise Interrupted(signum)
    assert ended.value.code == status
    assert capsys.readouterr().err == ""


def test_the_frames_are_there_for_who_asks(monkeypatch):
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    with pytest.raises(StudyFailed), application.ending_as_we_do():
        raise StudyFailed("no way")
