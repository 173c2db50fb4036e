"""The embedded storage is Optuna's own, only faster."""

import pickle
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from optuna.storages import RDBStorage
from optuna.storages._rdb.storage import _VersionManager
from optuna.study import StudyDirection

from lightning_hpo.storage.embedded import (
    EmbeddedStorage,
    is_own_file,
    url_of,
)

ROOT = Path(__file__).parents[3]


def test_every_connection_of_every_process_leaves_the_waiting_for_the_disk_to_checkpoints(embedded):
    for storage in (embedded, pickle.loads(pickle.dumps(embedded))):
        with storage.engine.connect() as connection:
            modes = [
                connection.exec_driver_sql(f"PRAGMA {name}").scalar()
                for name in ("journal_mode", "synchronous")
            ]
        # 1 is NORMAL in SQLite's numbers.
        assert modes == ["wal", 1]
        storage.engine.dispose()


@pytest.fixture
def versions_are_read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Filled where Optuna looks which version of its tables is the latest."""
    read: list[str] = []
    head = _VersionManager.get_head_version

    def noted(self: _VersionManager) -> str:
        read.append("head")
        return head(self)

    monkeypatch.setattr(_VersionManager, "get_head_version", noted)
    return read


# Rule: what this version of Optuna has made whole is not looked through by every process again.
def test_tables_of_this_version_are_not_checked_again(tmp_path, versions_are_read):
    made = EmbeddedStorage(tmp_path / "study.db")
    made.create_new_study([StudyDirection.MINIMIZE], "kept")
    made.engine.dispose()
    versions_are_read.clear()
    again = EmbeddedStorage(tmp_path / "study.db")
    assert versions_are_read == []
    assert [study.study_name for study in again.get_all_studies()] == ["kept"]
    again.engine.dispose()


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM alembic_version",
        "DROP TABLE alembic_version",
        "DROP TABLE trial_params; DELETE FROM alembic_version",
        "UPDATE version_info SET library_version = '4.0.0'",
    ],
)
def test_tables_that_are_half_made_or_anothers_are_checked(tmp_path, versions_are_read, damage):
    EmbeddedStorage(tmp_path / "study.db").engine.dispose()
    with closing(sqlite3.connect(tmp_path / "study.db")) as connection:
        connection.executescript(damage)
    versions_are_read.clear()
    again = EmbeddedStorage(tmp_path / "study.db")
    assert versions_are_read
    study = again.create_new_study([StudyDirection.MINIMIZE], "new")
    assert again.get_all_trials(study) == []
    again.engine.dispose()


@pytest.mark.parametrize("name", ["a?b=c", "a%41", "a#b", "a b;c&d", "é'x\"y", "{a}[b],c"])
def test_a_folder_of_any_name_holds_its_own_database(tmp_path, name):
    folder = tmp_path / name
    folder.mkdir()
    storage = EmbeddedStorage(folder / "study.db")
    storage.engine.dispose()
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert is_own_file(url_of(folder / "study.db"), folder)
    again = RDBStorage(url_of(folder / "study.db"))
    assert again.get_all_studies() == []
    again.engine.dispose()


def test_its_url_is_printed_for_other_tools(tmp_path):
    words = [sys.executable, "-m", "lightning_hpo.storage.embedded", "a?b"]
    done = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert (done.stdout, done.stderr) == ("sqlite:///a%3Fb/study.db\n", "")


def test_the_file_of_the_folder_is_known_by_any_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    study_dir = tmp_path / "studies" / "a"
    for spec in (None, f"sqlite:///{study_dir}/study.db", "sqlite:///studies/a/study.db"):
        assert is_own_file(spec, study_dir)
    others = ("sqlite:///studies/b/study.db", "sqlite://", "postgresql://h/d", "study.log")
    for spec in (*others, {"_target_": "optuna.storages.InMemoryStorage"}):
        assert not is_own_file(spec, study_dir)


# Rule: a process that ends in good order leaves one file, whatever still holds the storage then.
def test_the_log_is_put_into_the_database_when_the_process_ends(tmp_path):
    code = (
        "import sys, threading, optuna\n"
        "from pathlib import Path\n"
        "from lightning_hpo.storage.study import create_storage\n"
        "storage = create_storage(None, Path(sys.argv[1]))\n"
        "optuna.create_study(storage=storage)\n"
        "waits = lambda holds: threading.Event().wait()\n"
        "threading.Thread(target=waits, args=[storage], daemon=True).start()\n"
        "assert Path(sys.argv[1], 'study.db-wal').exists()\n"
    )
    words = [sys.executable, "-W", "ignore", "-c", code, str(tmp_path)]
    subprocess.run(words, check=True, capture_output=True)
    assert [path.name for path in tmp_path.iterdir()] == ["study.db"]
