"""The functions for Python: what a study's process is given and how it ends; what is read of one.

A script takes the place of the interpreter that would run the study.
"""

import contextlib
import io
import json
import os
import signal
import sys
from pathlib import Path

import pytest
from hydra.core.global_hydra import GlobalHydra
from report_study import write_results, write_study

from lightning_hpo import UserError, compare, interval, load_study, rerun, run
from lightning_hpo.machine import caller
from lightning_hpo.storage import maker


@pytest.fixture
def study_dir(tmp_path) -> Path:
    return write_study(tmp_path / "studies" / "found", name="found", n_trials=20)


@pytest.fixture
def started(tmp_path, monkeypatch):
    """Runs ``script``, in a shell, where a study's process would run."""

    def as_study(script: str) -> None:
        file = tmp_path / "interpreter"
        file.write_text(f"#!/bin/sh\n{script}\n")
        file.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(file))

    # In the background of a shell interrupts are ignored, and what is ignored stays so in a child.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield as_study
    signal.signal(signal.SIGINT, before)


def told(**news: str) -> str:
    """What tells the caller so."""
    return f"echo '{json.dumps(news)}' >> \"${caller.VARIABLE}\""


# ---------------------------------------------------------------- run


def test_the_command_line_gets_the_words_as_they_are(started, study_dir, capsys):
    started(f"printf '%s\\n' \"$@\"; {told(folder=str(study_dir))}")
    found = run("data=digits", "model.dropout=interval(0, 0.5)", config_dir="my conf")
    words = ["--config-dir", "my conf", "data=digits", "model.dropout=interval(0, 0.5)"]
    assert capsys.readouterr().out.splitlines() == ["-u", "-m", "lightning_hpo", *words]
    assert found.folder == study_dir
    assert found.results["study_name"] == "found"


def test_a_mapping_is_words_too_in_its_place(started, study_dir, capsys):
    started(f"printf '%s\\n' \"$@\"; {told(folder=str(study_dir))}")
    run("+experiment=x", {"study.name": "a, b", "model.dropout": interval(0, 0.5)}, "seed=3")
    words = ["+experiment=x", "study.name='a, b'", "model.dropout=interval(0,0.5)", "seed=3"]
    assert capsys.readouterr().out.splitlines() == ["-u", "-m", "lightning_hpo", *words]


def test_the_study_can_import_what_this_program_can(started, study_dir, monkeypatch, capsys):
    monkeypatch.setattr(sys, "path", ["", "/of/the/script", *sys.path])
    started(f'echo "$PYTHONPATH"; {told(folder=str(study_dir))}')
    run()
    assert capsys.readouterr().out.strip() == os.pathsep.join(sys.path[1:])


def test_its_output_and_its_errors_come_where_ours_goes(started, study_dir):
    started(f"echo to standard output; echo ± to the other >&2; {told(folder=str(study_dir))}")
    with contextlib.redirect_stdout(io.StringIO()) as ours:
        run()
    assert ours.getvalue() == "to standard output\n± to the other\n"


def test_this_process_stays_as_it_was(started, study_dir, capsys):
    before = dict(os.environ), list(sys.argv), os.getcwd()
    started(told(folder=str(study_dir)))
    run("study.n_trials=2")
    assert (dict(os.environ), sys.argv, os.getcwd()) == before
    assert not GlobalHydra.instance().is_initialized()
    assert capsys.readouterr() == ("", "")


def test_the_line_that_refuses_a_study_is_the_error(started, study_dir):
    started(f"{told(folder=str(study_dir))}; {told(error='n_trials must be at least 1.')}; exit 1")
    with pytest.raises(UserError, match=r"^n_trials must be at least 1\.$"):
        run("study.n_trials=0")


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("exit 1", "ended with status 1; its output says more"),
        ("kill -KILL $$", "was killed by signal 9; its output says more"),
        ("exit 143", "ended with status 143"),
        ("exit 0", "these words started none"),
    ],
)
def test_a_process_that_ends_without_a_word_is_an_error_too(started, script, message):
    started(script)
    with pytest.raises(UserError, match=message):
        run()


@pytest.mark.parametrize("script", ["exit 130", "kill -INT $$"])
def test_a_study_that_was_interrupted_is_an_interrupt(started, script):
    started(script)
    with pytest.raises(KeyboardInterrupt):
        run()


class Interrupted(io.StringIO):
    """The user presses Ctrl-C when the first line appears."""

    def write(self, text: str) -> int:
        super().write(text)
        if self.getvalue() == text:
            raise KeyboardInterrupt
        return len(text)


# Rule: the study is told once, and is waited for; it says what it has to say.
def test_an_interrupt_here_is_passed_on_and_the_study_closes(started, study_dir):
    heard = "trap 'echo closing; exit 0' INT; trap 'echo no' TERM"
    started(f"{heard}; {told(folder=str(study_dir))}; echo ready; while read line; do :; done")
    with contextlib.redirect_stdout(Interrupted()) as ours, pytest.raises(KeyboardInterrupt):
        run()
    assert ours.getvalue() == "ready\nclosing\n"


@pytest.mark.parametrize("word", ["--help", "-m", "--config-dir=conf"])
def test_options_are_for_the_command_line(word):
    with pytest.raises(UserError, match=f"takes overrides such as .*, got '{word}'; give"):
        run("data=digits", word)


# ---------------------------------------------------------------- load_study


def test_a_study_is_read_with_its_outcome_and_its_trials(study_dir, monkeypatch):
    monkeypatch.chdir(study_dir.parent)
    found = load_study("found")
    assert found.folder == study_dir
    best = json.loads((study_dir / "results.json").read_text())["best"]
    assert (found.best_params, found.best_value) == (best["params"], best["value"])
    assert found.test == json.loads((study_dir / "results.json").read_text())["test"]
    assert [trial.number for trial in found.trials] == list(range(20))
    assert found.trials[best["number"]].params == best["params"]
    assert sum(found.importances.values()) == pytest.approx(1)


def test_it_has_a_table_pictures_a_page_and_its_command(study_dir):
    found = load_study(study_dir)
    assert list(found.frame["number"]) == list(range(20))
    assert "confusion_matrix" in found.figures
    assert found.report == study_dir / "report.html"
    assert found.command == "python -m lightning_hpo +experiment=cnn_dropout study.n_trials=100"
    assert found.best == json.loads((study_dir / "results.json").read_text())["best"]
    assert "<table>" in found._repr_html_()


def test_it_is_shown_in_one_line(study_dir):
    assert repr(load_study(study_dir)) == f"StudyRecord(folder={study_dir!r})"


def test_what_did_not_run_is_none(tmp_path):
    found = load_study(write_study(tmp_path / "bare", name="bare", n_trials=0, final=False))
    assert (found.best_params, found.best_value, found.test, found.trials) == ({}, None, None, ())


def test_a_folder_without_a_study_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"holds results\.json, got .*nothing"):
        load_study(tmp_path / "nothing")


def test_a_strangers_model_is_opened_only_with_trust(study_dir):
    found = load_study(study_dir)
    for open_it in (found.model, found.data, found.predictor):
        with pytest.raises(UserError, match=r"made by somebody unknown.* then add trust=True\."):
            open_it()
        with pytest.raises(UserError, match=r"model\.ckpt is missing or damaged; run the study's"):
            open_it(trust=True)


# ---------------------------------------------------------------- compare and rerun


def test_rows_have_the_values_their_interval_and_their_difference(study_dir, tmp_path):
    write_study(tmp_path / "studies" / "other", name="other", n_trials=0)
    one, other = compare(study_dir, str(tmp_path / "studies" / "other"))
    again = compare([load_study(study_dir), tmp_path / "studies" / "other"])
    assert [row.name for row in again] == ["found", "other"]
    assert (one.name, other.name) == ("found", "other")
    assert one.folders == (study_dir,)
    assert one.metrics[:2] == ["val/accuracy", "val/loss"]
    assert one.values("val/loss") == [0.291, 0.279, 0.302, 0.284, 0.288]
    low, high = one.interval("val/loss")
    assert low < 0.2888 < high
    difference = one.minus(other, "val/loss")
    assert difference is not None
    assert difference.mean == 0 and difference.within_noise


def test_a_comparison_needs_two_studies(study_dir):
    with pytest.raises(UserError, match="two different study folders, got 1"):
        compare(study_dir)


def test_a_comparison_needs_studies_with_a_final_job(study_dir, tmp_path):
    bare = [write_study(tmp_path / name, n_trials=0, final=False) for name in "ab"]
    for folder in bare:
        found = json.loads((folder / "results.json").read_text())
        write_results(folder, found | {"cv": None, "test": None})
    with pytest.raises(UserError, match=r"run their commands again with study\.final=true"):
        compare(*bare)


def test_a_strangers_trial_runs_again_only_with_trust(study_dir):
    with pytest.raises(UserError, match=r"then add trust=True\."):
        rerun(study_dir, 0)
    maker.leave_mark(study_dir)
    with pytest.raises(UserError, match=r"NUMBER must be a trial of .*, got 0; there are \[\]"):
        rerun(str(study_dir), 0)
