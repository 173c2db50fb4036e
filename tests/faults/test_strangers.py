"""A study that somebody else made: nobody runs its code, or shows it a password, unasked."""

import json
from pathlib import Path

import pytest
from harness.invariants import assert_one_line
from omegaconf import OmegaConf
from report_study import write_results, write_study

from lightning_hpo.protocol.folder import StudyFolder
from lightning_hpo.report import __main__ as report
from lightning_hpo.rerun import main as rerun
from lightning_hpo.storage import maker


def made_by_a_stranger(study_dir: Path) -> None:
    mark = {"user": "eve", "host": "laptop", "marks": ["0" * 32]}
    StudyFolder(study_dir).mark.write_text(json.dumps(mark))


@pytest.fixture
def study_dir(tmp_path) -> Path:
    """A study whose first trial would write a file where it ran."""
    study_dir = write_study(tmp_path / "studies" / "faulty", name="faulty", n_trials=1, final=False)
    trial_dir = study_dir / "trials" / "0"
    trial_dir.mkdir(parents=True)
    names = ("data", "model", "optimizer", "trainer", "cv", "monitor", "mode", "seed")
    config = dict.fromkeys(names, "x") | {"study": {"name": "faulty", "storage": None}}
    config["data"] = {"_target_": "pathlib.Path.touch", "self": str(tmp_path / "ran")}
    OmegaConf.save(config, trial_dir / "config.yaml")
    return study_dir


@pytest.mark.parametrize("marked", [False, True], ids=["by_nobody_known", "by_eve"])
def test_a_strangers_trial_runs_again_only_with_trust(study_dir, capsys, marked):
    if marked:
        made_by_a_stranger(study_dir)
    status = rerun([str(study_dir), "0"])
    who = "eve on laptop" if marked else "somebody unknown"
    assert_one_line(status, capsys.readouterr().err, f"was made by {who}", "add --trust")
    # With trust it gets as far as what else its record lacks.
    assert rerun([str(study_dir), "0", "--trust"]) == 1
    assert "provenance.yaml" in capsys.readouterr().err
    assert not (study_dir.parents[1] / "ran").exists()


def test_ones_own_study_is_known_again_wherever_it_lies(study_dir, tmp_path, capsys):
    maker.leave_mark(study_dir)
    moved = study_dir.rename(tmp_path / "moved")
    assert maker.is_own(moved)
    assert rerun([str(moved), "0"]) == 1
    assert "provenance.yaml" in capsys.readouterr().err


def test_machines_that_share_a_home_share_its_studies(study_dir, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home"))
    maker.leave_mark(study_dir)
    monkeypatch.setattr(maker, "_MACHINE_ID", tmp_path / "of another machine")
    (tmp_path / "of another machine").write_text("0123")
    assert maker.is_own(study_dir)
    # Neither the machine nor the home.
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "another home"))
    assert not maker.is_own(study_dir)


def test_without_a_machine_id_and_a_home_the_owner_of_the_files_counts(
    study_dir, tmp_path, monkeypatch
):
    monkeypatch.setenv("XDG_STATE_HOME", "/dev/null/nowhere")
    monkeypatch.setattr(maker, "_MACHINE_ID", tmp_path / "missing")
    assert not maker.is_own(study_dir)
    maker.leave_mark(study_dir)
    assert maker.is_own(study_dir)
    monkeypatch.setattr("os.getuid", lambda: 4321)
    assert not maker.is_own(study_dir)


@pytest.mark.sweep
def test_nobody_goes_on_in_a_strangers_study_or_replays_it_unasked(program, study_dir):
    made_by_a_stranger(study_dir)
    words = ("was made by eve on laptop", "add study.trust=true")
    assert_one_line(*_status_and_err(program.run()), *words)
    replayed = ("study.name=mine", f"study.replay={study_dir}")
    assert_one_line(*_status_and_err(program.run(*replayed)), *words)


def _status_and_err(ended: tuple[int, str, str]) -> tuple[int, str]:
    return ended[0], ended[2]


def test_a_report_connects_to_no_server_that_a_strangers_results_name(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("PGPASSWORD", "hunter2")
    monkeypatch.delenv("LIGHTNING_HPO_STORAGE", raising=False)
    monkeypatch.setattr("lightning_hpo.storage.readonly.RDBStorage", _never)
    study_dir = write_study(tmp_path / "s", n_trials=1, final=False)
    results = json.loads((study_dir / "results.json").read_text())
    (study_dir / "study.db").unlink()
    write_results(study_dir, results | {"storage": "postgresql://me@evil.example/db"})
    err = (report.main([str(study_dir)]), capsys.readouterr().err)
    assert_one_line(*err, "reads a server that you name", "evil.example")


def _never(*arguments: object, **options: object) -> None:
    raise AssertionError("nothing may connect")
