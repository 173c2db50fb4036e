"""A study's storage opened by a reader that must not change it."""

import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import optuna
from optuna.exceptions import StorageInternalError
from optuna.storages import RDBStorage
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from lightning_hpo.composition.vault import VARIABLE
from lightning_hpo.errors import UserError, of_driver, one_line
from lightning_hpo.output.masking import MASK, redact
from lightning_hpo.protocol.folder import StudyFolder
from lightning_hpo.storage.embedded import url_of
from lightning_hpo.storage.maker import is_own
from lightning_hpo.storage.study import parsed


@contextmanager
def opened_study(study_dir: Path, results: Mapping[str, Any]) -> Iterator[optuna.Study | None]:
    """The study in its storage, or None where no trial was ever asked for."""
    url = storage_url(study_dir, results.get("storage"))
    searched = results["trials"]["total"] > 0
    file = sqlite_file(url)
    if file is None:
        _require_named(study_dir, url)
    if file is not None and not file.exists() and not searched:
        yield None
        return
    with clear_errors(url, str(results["study_name"])):
        storage = RDBStorage(
            make_url(url).render_as_string(hide_password=False),
            engine_kwargs={"poolclass": NullPool, **read_only(file)},
            skip_table_creation=True,
        )
        try:
            yield load_study(str(results["study_name"]), storage, searched=searched)
        finally:
            storage.remove_session()


def _require_named(study_dir: Path, url: str) -> None:
    """Raise :class:`UserError` for a server that only another one's file names.

    Whoever connects shows a password: the client's, where the URL has none.
    """
    if os.environ.get(VARIABLE) or is_own(study_dir):
        return
    raise UserError(
        f"The report reads a server that you name, got {redact(url)} from the study of another one"
        f" in {study_dir}; if you know it, export {VARIABLE}='{redact(url)}'."
    )


def storage_url(study_dir: Path, stored: str | None) -> str:
    """Where the trials are: in the folder's own database, or at the URL in ``results.json``.

    The former travels with a moved folder. A password hidden in the latter is left to the variable
    that a study's command reads too, or to the database's client (for PostgreSQL: PGPASSWORD or
    ~/.pgpass).
    """
    own = StudyFolder(study_dir).database
    file = sqlite_file(stored) if stored else own
    if stored is None or (file is not None and file.name == own.name and own.exists()):
        return url_of(own)
    exported = os.environ.get(VARIABLE)
    if file is None and exported:
        return parsed(exported).render_as_string(hide_password=False)
    return stored.replace(f":{MASK}@", "@")


def sqlite_file(url: str) -> Path | None:
    """The file of an SQLite URL; None for any other storage."""
    with suppress(ArgumentError, ValueError):
        parsed = make_url(url)
        if parsed.get_backend_name() == "sqlite" and parsed.database:
            return Path(parsed.database).absolute()
    return None


def load_study(name: str, storage: RDBStorage, *, searched: bool) -> optuna.Study | None:
    """The study of that name; its absence is an error only where trials were asked for."""
    known = name in optuna.get_all_study_names(storage)
    if not known and searched:
        raise UserError(
            "The storage must hold the study that results.json names, got none named "
            f"{name!r}; correct 'study_name' or 'storage' in results.json."
        )
    return optuna.load_study(study_name=name, storage=storage) if known else None


@contextmanager
def clear_errors(url: str, name: str) -> Iterator[None]:
    """Turn what a missing, damaged, outdated or unreachable storage raises into one line."""
    try:
        yield
    except (SQLAlchemyError, StorageInternalError, ImportError, RuntimeError) as error:
        cause = error.__cause__ if isinstance(error, StorageInternalError) else error
        reason = one_line(of_driver(cause or error))
        raise UserError(
            f"The report needs the storage of study {name!r}, got {redact(url)}, which does not "
            f"open ({reason}); put it back, or correct 'storage' in results.json."
        ) from None


def read_only(file: Path | None) -> dict[str, Any]:
    """Engine arguments under which an SQLite file is never created and its content not changed.

    Given as a connection of our own: SQLAlchemy's versions differ in how they unquote a URL.
    """
    return {} if file is None else {"creator": lambda: _connect(file)}


def _connect(file: Path) -> sqlite3.Connection:
    # With a write-ahead log even readers need files beside the database, and a connection in mode
    # 'ro' leaves them behind. In a folder where none can be made nobody writes either.
    mode = "rw"
    if not os.access(file.parent, os.W_OK):
        mode = "ro" if file.with_name(f"{file.name}-wal").exists() else "ro&immutable=1"
    connection = sqlite3.connect(f"file:{quote(str(file))}?mode={mode}", uri=True)
    connection.execute("PRAGMA query_only = ON")
    return connection
