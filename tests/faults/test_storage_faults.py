"""A storage that is torn, read-only or full: nothing that was told is lost."""

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.storages import RDBStorage
from optuna.trial import TrialState
from program import TIMEOUT_S, Program, counted, in_state

from lightning_hpo.storage.study import create_storage

# ------------------------------------------------------------------ cut at every byte

_TABLES = ("trials", "trial_values", "trial_params", "trial_user_attributes", "studies")


def content(database: Path) -> list[Any]:
    """Everything in the tables, as SQLite recovers it from the log, which stays as it is."""
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    try:
        return [connection.execute(f"SELECT * FROM {table}").fetchall() for table in _TABLES]
    finally:
        connection.close()


@pytest.fixture
def last_write(tmp_path) -> Iterator[tuple[Path, int, list[Any], list[Any]]]:
    """A live study's folder, where its last write begins in the log, and what it changed."""
    folder = tmp_path / "live"
    folder.mkdir()
    storage = create_storage(None, folder)
    study = optuna.create_study(study_name="torn", storage=storage)
    for _ in range(3):
        trial = study.ask()
        study.tell(trial, trial.suggest_float("x", 0, 1))
    trial = study.ask()
    trial.suggest_float("x", 0, 1)
    before = content(copied(folder, tmp_path / "before"))
    log = folder / "study.db-wal"
    begins = log.stat().st_size
    study.tell(trial, 0.5)
    assert log.stat().st_size > begins, "the last write must be the tail of the log"
    yield folder, begins, before, content(copied(folder, tmp_path / "after"))
    storage._backend.engine.dispose()


def copied(folder: Path, to: Path, length: int | None = None) -> Path:
    """A copy of the storage as a dead machine leaves it: its log cut after ``length`` bytes."""
    to.mkdir(exist_ok=True)
    for name in ("study.db", "study.db-wal"):
        shutil.copyfile(folder / name, to / name)
    (to / "study.db-shm").unlink(missing_ok=True)
    if length is not None:
        os.truncate(to / "study.db-wal", length)
    return to / "study.db"


def test_a_storage_cut_at_any_byte_of_its_last_write_loses_at_most_that_write(last_write, tmp_path):
    folder, begins, before, after = last_write
    assert before != after
    database = copied(folder, tmp_path / "cut")
    log = database.with_name("study.db-wal")
    kept = []
    for length in range(log.stat().st_size, begins - 1, -1):
        os.truncate(log, length)
        found = content(database)
        assert found in (before, after), f"cut after {length} bytes"
        kept.append(found == after)
    # Whole with its last byte, lost without it, and never half of it.
    assert kept[0] and not any(kept[1:])


def test_a_study_goes_on_after_its_storage_was_cut(last_write, tmp_path):
    folder, begins, _, _ = last_write
    ends = (folder / "study.db-wal").stat().st_size
    for index, length in enumerate(range(begins, ends + 1, max(1, (ends - begins) // 24))):
        database = copied(folder, tmp_path / f"cut_{index}", length)
        storage = RDBStorage(f"sqlite:///{database}")
        study = optuna.load_study(study_name="torn", storage=storage)
        states = [trial.state for trial in study.trials]
        assert states[:3] == [TrialState.COMPLETE] * 3
        assert states[3] in (TrialState.RUNNING, TrialState.COMPLETE)
        trial = study.ask()
        study.tell(trial, trial.suggest_float("x", 0, 1))
        assert study.trials[4].state is TrialState.COMPLETE
        with storage.engine.connect() as connection:
            found = connection.exec_driver_sql("PRAGMA integrity_check").fetchall()
        assert found == [("ok",)]
        storage.engine.dispose()


# ------------------------------------------------------------------ read-only and full


@pytest.fixture
def small_disk(tmp_path) -> Iterator[Path]:
    """A disk of its own for the program's folder."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(disk)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("needs the right to mount a small disk (root)")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


@pytest.fixture
def on_small_disk(small_disk) -> Iterator[Program]:
    program = Program(small_disk)
    yield program
    program.end()


def remount(disk: Path, how: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{how}", str(disk)], check=True)


def assert_one_line_and_status_1(process: subprocess.Popen[str], *words: str) -> None:
    _, err = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 1, err
    assert len(err.splitlines()) == 1, err
    assert all(word in err for word in words), err


@pytest.mark.sweep
def test_a_read_only_folder_is_refused_in_one_line(on_small_disk):
    remount(on_small_disk.folder, "ro")
    process = on_small_disk.start()
    assert_one_line_and_status_1(process, "study.dir must be a writable folder", "Read-only")


@pytest.mark.sweep
def test_a_full_disk_ends_the_study_in_one_line_and_loses_nothing(on_small_disk, eventually):
    program = on_small_disk
    process = program.start("acts={3: linger}", "study.n_trials=8")
    eventually(program.waiting(3).exists)
    filler = program.folder / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(1024)):
                pass
        except OSError:
            told = in_state(program.trials(), TrialState.COMPLETE)
    program.waiting(3).unlink()
    assert_one_line_and_status_1(process, "must be", "full")
    filler.unlink()
    status, _, err = program.run("study.n_trials=8")
    assert (status, err) == (0, "")
    trials = program.trials()
    assert [trials[t.number] for t in told] == told
    assert len(counted(trials)) == 8
    assert {t.state for t in counted(trials)} == {TrialState.COMPLETE}
