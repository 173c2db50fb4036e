"""Reading a study's folder: what is accepted, what is refused, and that nothing is written."""

import hashlib
import json
import os
import random
import sqlite3
import stat
from pathlib import Path
from typing import Any

import optuna
import pytest
from literal_studies import study_of
from optuna.trial import TrialState, create_trial
from report_study import results_of, some_trial, write_results, write_study

from lightning_hpo.errors import UserError
from lightning_hpo.results.record import read_record


def change(folder: Path, **changes: Any) -> None:
    path = folder / "results.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes), encoding="utf-8")


def test_reading_leaves_the_storage_untouched(tmp_path: Path) -> None:
    folder = write_study(tmp_path / "s", n_trials=3, final=False)
    database = folder / "study.db"
    before = hashlib.sha256(database.read_bytes()).digest()
    database.chmod(stat.S_IRUSR)
    assert [trial.number for trial in read_record(folder).trials] == [0, 1, 2]
    assert hashlib.sha256(database.read_bytes()).digest() == before
    assert sorted(path.name for path in folder.iterdir()) == ["results.json", "study.db"]


# '?', '#' and '%' mean something in SQLite's URIs, quotes and spaces in shells.
@pytest.mark.parametrize("name", ["a b", "50%20", "what?mode=rw", "c#", "ü'\""])
def test_any_folder_name_can_be_read(tmp_path: Path, name: str) -> None:
    folder = write_plain(tmp_path / "plain").rename(tmp_path / name)
    assert len(read_record(folder).trials) == 2


def write_plain(folder: Path) -> Path:
    return write_study(folder, n_trials=2, final=False)


def test_storage_named_in_results_is_used(tmp_path: Path) -> None:
    folder = write_plain(tmp_path / "s")
    moved = (folder / "study.db").rename(tmp_path / "elsewhere.db")
    change(folder, storage=f"sqlite:///{moved}")
    assert len(read_record(folder).trials) == 2


# results.json names the embedded database by its absolute path.
def test_embedded_storage_travels_with_its_folder(tmp_path: Path) -> None:
    folder = write_plain(tmp_path / "s")
    change(folder, storage=f"sqlite:///{folder / 'study.db'}")
    assert len(read_record(folder.rename(tmp_path / "moved")).trials) == 2


# A write-ahead log, as our own studies have, asks even readers for files beside the database.
@pytest.mark.parametrize("writable", [True, False])
def test_write_ahead_log_is_read_and_leaves_no_files(
    tmp_path: Path, writable: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_plain(tmp_path / "s")
    connection = sqlite3.connect(folder / "study.db")
    assert connection.execute("PRAGMA journal_mode=WAL").fetchone() == ("wal",)
    connection.close()
    # Root may write into any folder: say that this one is read-only.
    monkeypatch.setattr(os, "access", lambda _, mode: writable or mode != os.W_OK)
    assert len(read_record(folder).trials) == 2
    assert sorted(path.name for path in folder.iterdir()) == ["results.json", "study.db"]


# Trials told but not yet folded into the database are in the log of the process that writes.
def test_trials_of_a_running_study_are_seen(tmp_path: Path) -> None:
    folder = write_plain(tmp_path / "s")
    writer = sqlite3.connect(folder / "study.db")
    writer.execute("PRAGMA journal_mode=WAL")
    writer.execute("UPDATE trials SET state = 'PRUNED' WHERE number = 1")
    writer.commit()
    assert read_record(folder).trials[1].state is TrialState.PRUNED
    writer.close()


def test_open_study_is_taken_as_it_is(tmp_path: Path) -> None:
    write_results(tmp_path, results_of("s", [], final=False) | {"storage": "my.own.Storage"})
    study = study_of([{"x": 0.5}], [1.0])
    assert [trial.value for trial in read_record(tmp_path, study=study).trials] == [1.0]


def test_of_several_objectives_the_first_is_shown(tmp_path: Path) -> None:
    write_results(tmp_path, results_of("s", [], final=False))
    study = optuna.create_study(directions=["minimize", "maximize"])
    study.add_trial(create_trial(values=[0.25, 0.9]))
    record = read_record(tmp_path, study=study)
    assert (record.objectives, record.trials[0].value) == (2, 0.25)
    assert study.trials[0].values == [0.25, 0.9]


def test_baseline_without_storage_has_no_trials(tmp_path: Path) -> None:
    folder = write_study(tmp_path / "s", n_trials=0, final=False)
    assert read_record(folder).trials == ()
    assert not (folder / "study.db").exists()


def test_folder_without_results_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"holds results\.json, got .*, which has none"):
        read_record(tmp_path)


@pytest.mark.parametrize("content", ["{", "[]", "{}", "\x00"])
def test_damaged_results_are_refused_in_one_line(tmp_path: Path, content: str) -> None:
    (tmp_path / "results.json").write_text(content)
    with pytest.raises(UserError, match=r"results\.json must") as caught:
        read_record(tmp_path)
    assert "\n" not in str(caught.value)


def test_several_directions_are_refused(tmp_path: Path) -> None:
    folder = write_plain(tmp_path / "s")
    change(folder, direction=["minimize", "maximize"])
    with pytest.raises(UserError, match="one direction, minimize or maximize, got"):
        read_record(folder)


@pytest.mark.parametrize("damage", ["missing", "empty", "text", "torn"])
def test_missing_or_damaged_storage_is_refused(tmp_path: Path, damage: str) -> None:
    folder = write_plain(tmp_path / "s")
    database = folder / "study.db"
    whole = database.read_bytes()
    database.unlink()
    if damage != "missing":
        database.write_bytes({"empty": b"", "text": b"no database", "torn": whole[:9000]}[damage])
    with pytest.raises(UserError, match="needs the storage of study 'cnn_dropout'") as caught:
        read_record(folder)
    assert "\n" not in str(caught.value)
    assert database.exists() is (damage != "missing")


def test_study_of_another_name_is_refused(tmp_path: Path) -> None:
    folder = write_plain(tmp_path / "s")
    change(folder, study_name="other")
    with pytest.raises(UserError, match="got none named 'other'"):
        read_record(folder)


def test_password_of_an_unreachable_storage_is_not_told(tmp_path: Path) -> None:
    write_results(tmp_path, results_of("s", [some_trial(0, random.Random(0))], final=False))
    change(tmp_path, storage="nosuchdialect://me:hunter2@localhost/db")
    with pytest.raises(UserError) as caught:
        read_record(tmp_path)
    assert "hunter2" not in str(caught.value)
    assert "me:***@localhost" in str(caught.value)
