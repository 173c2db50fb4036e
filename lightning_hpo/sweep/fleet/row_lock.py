"""Mutual exclusion among controllers by a lock of the database: PostgreSQL, MySQL and MariaDB.

One row of the study is locked, in a transaction of its own. It costs a few statements, however many
controllers there are, and nobody polls. The lock falls with its connection; so a controller that
is killed holds up nobody, and of one whose machine sleeps or is cut off the server ends the
session, after as long as the others take to give it up for dead.

Controllers behind a proxy have no such lock. The row says whether the study has any; then the
attributes' lock is taken besides. Who writes it there waits for whoever holds the row.
"""

import itertools
import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import optuna
from optuna.exceptions import StorageInternalError
from optuna.storages import BaseStorage, InMemoryStorage, RDBStorage
from optuna.storages._cached_storage import _CachedStorage
from optuna.storages._rdb.models import StudySystemAttributeModel as Attribute
from sqlalchemy import bindparam, func, insert, select, text
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.sql import Executable

from lightning_hpo.storage.study import storage_errors
from lightning_hpo.sweep.fleet.mutex import StorageMutex

_ROW = "lock"
_OF_DATABASE, _OF_ATTRIBUTES = "database", "attributes"
_FIND = select(Attribute.value_json).where(
    Attribute.study_id == bindparam("study_id"), Attribute.key == _ROW
)
_MAKE = insert(Attribute).values(key=_ROW, value_json=f'"{_OF_DATABASE}"')
_TELLING_TRIES = 20


@dataclass(frozen=True)
class _Statements:
    """``take`` has the server end a session that is silent, and ends with the row, locked.

    ``give_back`` leaves the session as it was, and fails where the lock was lost.
    """

    take: tuple[Executable, ...]
    give_back: Executable


_SET_CONFIG = func.set_config("idle_in_transaction_session_timeout", bindparam("timeout_ms"), True)
_POSTGRESQL = _Statements(
    take=(_FIND.add_columns(_SET_CONFIG).with_for_update(),), give_back=text("SELECT 1")
)
# MySQL lets nobody wait for ever: here for three years. What stood in the session of a connection
# that others use after us stays in it as variables.
_MYSQL = _Statements(
    take=(
        text(
            "SET @silent_s = @@SESSION.wait_timeout,"
            " @waiting_s = @@SESSION.innodb_lock_wait_timeout,"
            " SESSION wait_timeout = :timeout_s, SESSION innodb_lock_wait_timeout = 100000000"
        ),
        _FIND.with_for_update(),
    ),
    give_back=text(
        "SET SESSION wait_timeout = @silent_s, SESSION innodb_lock_wait_timeout = @waiting_s"
    ),
)
_BY_DIALECT = {"postgresql": _POSTGRESQL, "mysql": _MYSQL, "mariadb": _MYSQL}
# What SQLAlchemy calls the databases whose controllers it keeps apart.
DIALECTS = frozenset(_BY_DIALECT)


class RowLock:
    """One controller at a time; not reentrant. ``timeout_s``: how long a holder may be silent.

    ``attributes``: the lock of those that have no other. ``touch``, from another thread, shows that
    the holder lives.
    """

    def __init__(
        self, engine: Engine, study_id: int, attributes: StorageMutex, *, timeout_s: float
    ) -> None:
        self._engine, self._attributes = engine, attributes
        self._statements = _BY_DIALECT[engine.dialect.name]
        self._values = {
            "study_id": study_id,
            "timeout_ms": str(max(1, round(1000 * timeout_s))),
            "timeout_s": math.ceil(timeout_s),
        }
        self._guard = threading.Lock()
        self._inside: Connection | None = None
        # Of several that make the row at a time one does.
        with suppress(IntegrityError), engine.begin() as connection:
            if connection.execute(_FIND, self._values).first() is None:
                connection.execute(_MAKE, {"study_id": study_id})

    @contextmanager
    def held(self) -> Iterator[None]:
        """While this lasts, no other controller is inside its own ``held``.

        Raises where the lock was lost in between: what was done may have been done by two.
        """
        connection = self._engine.connect()
        try:
            kind = self._take(connection)
            self._watch(connection)
            if kind == f'"{_OF_DATABASE}"':
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
                # The driver's own: its holder's thread uses it only where we are kept out.
                cursor = self._inside.connection.cursor()
                cursor.execute("SELECT 1")
                cursor.fetchall()

    def _take(self, connection: Connection) -> str:
        """The row's value, locked."""
        *first, last = self._statements.take
        for statement in first:
            connection.execute(statement, self._values)
        return str(connection.execute(last, self._values).one().value_json)

    def _watch(self, connection: Connection | None) -> None:
        with self._guard:
            self._inside = connection

    def _give_back(self, connection: Connection) -> None:
        try:
            # Nothing was written: a commit would wait for the disk.
            connection.execute(self._statements.give_back)
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
    if isinstance(inner, RDBStorage) and inner.engine.dialect.name in DIALECTS:
        return RowLock(inner.engine, study._study_id, attributes, timeout_s=timeout_s)
    if not isinstance(inner, RDBStorage | InMemoryStorage):
        # Perhaps a proxy before a database that others reach themselves.
        _tell_that_attributes_lock(storage, study._study_id)
    return attributes


def _tell_that_attributes_lock(storage: BaseStorage, study_id: int) -> None:
    tries = itertools.count(1)
    # A write that meets another's first one is dropped without a word.
    while storage.get_study_system_attrs(study_id).get(_ROW) != _OF_ATTRIBUTES:
        try:
            storage.set_study_system_attr(study_id, _ROW, _OF_ATTRIBUTES)
        except storage_errors():
            # On MySQL one that waits for the holders of the row is sent away after a minute.
            if next(tries) == _TELLING_TRIES:
                raise
