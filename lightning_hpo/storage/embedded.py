"""The embedded storage: Optuna's tables in one SQLite file of the study's folder.

``python -m lightning_hpo.storage.embedded STUDY_DIR`` prints its URL.

Nothing but speed is changed: what is stored is what Optuna's own storage would have stored.
"""

import sqlite3
import sys
import weakref
from contextlib import closing
from pathlib import Path
from typing import Any

import optuna
from sqlalchemy.engine import URL, Engine, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.orm import Session, scoped_session

from lightning_hpo.errors import UserError, one_line
from lightning_hpo.protocol.folder import StudyFolder
from lightning_hpo.storage.plain import PlainStorage

LOCK_TIMEOUT_S = 60


def url_of(path: Path) -> str:
    """The URL of an SQLite file, whatever characters its folder's name has."""
    return URL.create("sqlite", database=str(path)).render_as_string()


def is_own_file(spec: Any, study_dir: Path) -> bool:
    """Whether ``study.storage=spec`` means the embedded storage of ``study_dir``, by any name."""
    database = sqlite_database(spec, study_dir)
    return database is not None and database.resolve() == StudyFolder(study_dir).database.resolve()


def sqlite_database(spec: Any, study_dir: Path) -> Path | None:
    """The file that ``study.storage=spec`` means; None for any storage that is not SQLite's."""
    if spec is None:
        return StudyFolder(study_dir).database
    try:
        url = make_url(spec)
    except (ArgumentError, ValueError):
        return None
    if url.get_backend_name() != "sqlite" or not url.database:
        return None
    return Path(url.database)


class EmbeddedStorage(PlainStorage):
    """SQLite, which commits whole or not at all, whenever a process is killed."""

    def __init__(self, path: Path) -> None:
        options = {
            "connect_args": {"timeout": LOCK_TIMEOUT_S},
            # For each connection, also for those of a storage that was pickled into a rank.
            "pool_events": [(_write_without_waiting_for_the_disk, "connect")],
        }
        # Else each process would read all versions of the tables that Optuna ever had, a third of a
        # second that the first trial waits for.
        made = _is_made(path)
        super().__init__(
            url_of(path),
            engine_kwargs=options,
            skip_compatibility_check=made,
            skip_table_creation=made,
        )
        # The last connection that is closed puts the log into the database, which is then a single
        # file. What is left to the end of the interpreter may never be closed.
        weakref.finalize(self, _close, self.scoped_session, self.engine)


def _close(session: scoped_session[Session], engine: Engine) -> None:
    session.remove()
    engine.dispose()


def _is_made(path: Path) -> bool:
    """Whether this very version of Optuna has made all tables there.

    The version of the tables is the last that it writes.
    """
    try:
        with closing(sqlite3.connect(path, timeout=LOCK_TIMEOUT_S)) as connection:
            query = "SELECT library_version FROM version_info, alembic_version"
            return connection.execute(query).fetchall() == [(optuna.__version__,)]
    except sqlite3.Error:
        # New, half made or damaged: Optuna makes what is missing, or says what is wrong.
        return False


def use_write_ahead_log(path: Path) -> None:
    """Kept in the file: readers (dashboard, report) never block the writers."""
    try:
        with sqlite3.connect(path, timeout=LOCK_TIMEOUT_S) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
    except sqlite3.Error as error:
        raise UserError(
            f"the study's storage must be a writable SQLite file, got {path}: {one_line(error)}."
            " Choose another study.dir, or move the file away."
        ) from None


def _write_without_waiting_for_the_disk(connection: Any, record: object) -> None:
    # With a write-ahead log a kill of any process loses nothing. A power failure may take the last
    # trials with it, whose controller it has killed too, but never leaves a damaged file.
    connection.execute("PRAGMA synchronous=NORMAL")


if __name__ == "__main__":
    sys.stdout.write(f"{url_of(StudyFolder(Path(sys.argv[1])).database)}\n")
