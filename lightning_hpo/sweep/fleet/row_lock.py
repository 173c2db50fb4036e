"""Mutual exclusion among controllers by a lock of the database, where that is PostgreSQL.

One row of the study is locked, in a transaction of its own. It costs a few statements, however many
controllers there are, and nobody polls. The lock falls with its connection; so a controller that
is killed holds up nobody, and of one whose machine sleeps or is cut off the server ends the
session, after as long as the others take to give it up for dead.

Controllers behind a proxy have no such lock. The row says whether the study has any; then the
attributes' lock is taken besides. Who writes it there waits for whoever holds the row.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import optuna
from optuna.exceptions import StorageInternalError
from optuna.storages import BaseStorage, InMemoryStorage, RDBStorage
from optuna.storages._cached_storage import _CachedStorage
from sqlalchemy import text
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from lightning_hpo.sweep.fleet.mutex import StorageMutex

_ROW = "lock"
_OF_DATABASE, _OF_ATTRIBUTES = "database", "attributes"
_MAKE = text(
    "INSERT INTO study_system_attributes (study_id, key, value_json)"
    f" VALUES (:study_id, '{_ROW}', '\"{_OF_DATABASE}\"') ON CONFLICT DO NOTHING"
)
_TAKE = text(
    "SELECT value_json, set_config('idle_in_transaction_session_timeout', :timeout_ms, true)"
    f" FROM study_system_attributes WHERE study_id = :study_id AND key = '{_ROW}' FOR UPDATE"
)


class RowLock:
    """One controller at a time; not reentrant. ``timeout_s``: how long a holder may be silent.

    ``attributes``: the lock of those that have no other. ``touch``, from another thread, shows that
    the holder lives.
    """

    def __init__(
        self, engine: Engine, study_id: int, attributes: StorageMutex, *, timeout_s: float
    ) -> None:
        self._engine, self._attributes = engine, attributes
        self._values = {"study_id": study_id, "timeout_ms": str(max(1, round(1000 * timeout_s)))}
        self._guard = threading.Lock()
        self._inside: Connection | None = None
        with engine.begin() as connection:
            connection.execute(_MAKE, {"study_id": study_id})

    @contextmanager
    def held(self) -> Iterator[None]:
        """While this lasts, no other controller is inside its own ``held``.

        Raises where the lock was lost in between: what was done may have been done by two.
        """
        connection = self._engine.connect()
        try:
            row = connection.execute(_TAKE, self._values).one()
            self._watch(connection)
            if row.value_json == f'"{_OF_DATABASE}"':
                yield
            else:
                with self._attributes.held():
                    yield
            self._watch(None)
            self._give_back(connection)
        except BaseException:
            self._watch(None)
            connection.invalidate()
            raise
        finally:
            connection.close()

    def touch(self) -> None:
        """Keep the server from taking a slow holder for a dead one."""
        # That it was lost its holder finds out at the end.
        with self._guard, suppress(self._engine.dialect.loaded_dbapi.Error):
            if self._inside is not None:
                # The driver's own, which several threads may use.
                self._inside.connection.cursor().execute("SELECT 1")

    def _watch(self, connection: Connection | None) -> None:
        with self._guard:
            self._inside = connection

    @staticmethod
    def _give_back(connection: Connection) -> None:
        try:
            # Nothing was written: a commit would wait for the disk.
            connection.execute(text("SELECT 1"))
            connection.rollback()
        except SQLAlchemyError as error:
            raise StorageInternalError(
                "the connection that held the study's lock was lost"
            ) from error


def lock_of(
    study: optuna.Study, attributes: StorageMutex, *, timeout_s: float
) -> RowLock | StorageMutex:
    """The lock of the study's database if it has one that we know, else that of its attributes."""
    storage = study._storage
    inner = storage._backend if isinstance(storage, _CachedStorage) else storage
    if isinstance(inner, RDBStorage) and inner.engine.dialect.name == "postgresql":
        return RowLock(inner.engine, study._study_id, attributes, timeout_s=timeout_s)
    if not isinstance(inner, RDBStorage | InMemoryStorage):
        # Perhaps a proxy before a database that others reach themselves.
        _tell_that_attributes_lock(storage, study._study_id)
    return attributes


def _tell_that_attributes_lock(storage: BaseStorage, study_id: int) -> None:
    # A write that meets another's first one is dropped without a word.
    while storage.get_study_system_attrs(study_id).get(_ROW) != _OF_ATTRIBUTES:
        storage.set_study_system_attr(study_id, _ROW, _OF_ATTRIBUTES)
