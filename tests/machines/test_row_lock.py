"""The lock of a database: one at a time, and neither a dead nor a silent holder keeps it."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import optuna
import pytest
from machines import HERE
from optuna.exceptions import StorageInternalError
from optuna.storages import RDBStorage
from sqlalchemy.engine import Engine

from lightning_hpo.sweep.fleet.mutex import StorageMutex
from lightning_hpo.sweep.fleet.row_lock import RowLock, _tell_that_attributes_lock, lock_of

pytestmark = pytest.mark.sweep
HOLDER = """
import sys, time
import optuna
from lightning_hpo.sweep.fleet.mutex import StorageMutex
from lightning_hpo.sweep.fleet.row_lock import lock_of
study = optuna.load_study(study_name="shared", storage=sys.argv[1])
with lock_of(study, StorageMutex(study, "dead", lambda other: True), timeout_s=60).held():
    print("inside", flush=True)
    time.sleep(60)
"""

MakeLock = Callable[..., RowLock]


@pytest.fixture
def locks(server_url: str) -> Iterator[MakeLock]:
    """Locks of one study, each of a controller with connections of its own."""
    with ExitStack() as open_ones:

        def make(name: str, timeout_s: float = 60) -> RowLock:
            storage = RDBStorage(server_url)
            open_ones.callback(storage.engine.dispose)
            study = optuna.create_study(
                study_name="shared", storage=storage, load_if_exists=True, direction="minimize"
            )
            attributes = StorageMutex(study, name, lambda other: True)
            made = lock_of(study, attributes, timeout_s=timeout_s)
            assert isinstance(made, RowLock)
            return made

        yield make


def test_only_one_at_a_time_is_inside(locks):
    inside, most, entered = [], [], []

    def enter_often(lock: RowLock) -> None:
        for _ in range(20):
            with lock.held():
                inside.append(lock)
                most.append(len(inside))
                time.sleep(0)
                entered.append(lock)
                inside.remove(lock)

    threads = [threading.Thread(target=enter_often, args=(locks(name),)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (max(most), len(entered)) == (1, 80)


def test_a_holder_that_is_killed_holds_up_nobody(locks, server_url):
    lock = locks("me")
    words = [sys.executable, "-W", "ignore", "-c", HOLDER, server_url]
    holder = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=HERE.parents[1])
    assert holder.stdout.readline() == "inside\n"
    began_s = time.monotonic()
    holder.kill()
    with lock.held():
        assert time.monotonic() - began_s < 30
    holder.communicate()


# Rule: the server ends the session of one that is silent, and that one learns of it.
def test_a_silent_holder_loses_the_lock_and_is_told(locks):
    silent, other = locks("silent", timeout_s=0.2), locks("other")
    with (
        pytest.raises(StorageInternalError, match="lock was lost"),
        silent.held(),
        other.held(),
    ):
        pass
    with silent.held():
        pass


def test_a_slow_holder_that_shows_that_it_lives_keeps_the_lock(locks):
    slow, deadline_s = locks("slow", timeout_s=0.5), time.monotonic() + 2
    n_touches = 0
    with slow.held():
        while time.monotonic() < deadline_s:
            slow.touch()
            n_touches += 1
    assert n_touches > 4


def end_other_sessions(engine: Engine) -> None:
    """End all of this test's own database but the one that asks."""
    if engine.dialect.name == "postgresql":
        others = "pid FROM pg_stat_activity WHERE datname = current_database()"
        others, end = f"{others} AND pid <> pg_backend_pid()", "SELECT pg_terminate_backend({})"
    else:
        others = "id FROM information_schema.processlist WHERE db = database()"
        others, end = f"{others} AND id <> connection_id()", "KILL {}"
    with engine.connect() as connection:
        for (session,) in connection.exec_driver_sql(f"SELECT {others}").fetchall():
            connection.exec_driver_sql(end.format(session))


# Rule: what is done after the connection is gone is not taken for done alone.
def test_a_lost_connection_lets_another_one_in_and_ends_with_an_error(locks):
    cut_off, other = locks("cut off"), locks("other")
    with pytest.raises(StorageInternalError, match="lock was lost"), cut_off.held():
        end_other_sessions(other._engine)
        cut_off.touch()
        other._engine.dispose()
        with other.held():
            pass
    with cut_off.held():
        pass


def test_the_lock_is_free_again_after_an_error(locks):
    lock = locks("me")
    with pytest.raises(ZeroDivisionError), lock.held():
        raise ZeroDivisionError
    with locks("you").held(), pytest.raises(ZeroDivisionError):
        raise ZeroDivisionError


SETTINGS = {
    "postgresql": "SELECT current_setting('idle_in_transaction_session_timeout')",
    "mysql": "SELECT @@SESSION.wait_timeout, @@SESSION.innodb_lock_wait_timeout",
}


# Rule: the connection is one of a pool, whose next user knows nothing of a lock.
def test_a_connection_is_given_back_with_the_settings_that_it_had(locks):
    lock, found = locks("me"), []
    dialect = lock._engine.dialect.name.replace("mariadb", "mysql")

    def settings() -> list[object]:
        with lock._engine.connect() as connection:
            return list(connection.exec_driver_sql(SETTINGS[dialect]).one())

    before = settings()
    with lock.held():
        inside = lock._inside.exec_driver_sql(SETTINGS[dialect]).one()
        found.append(str(inside[0]))
    assert found[0] in ("1min", "60")
    assert settings() == before == (["0"] if dialect == "postgresql" else [28800, 50])
    with pytest.raises(ZeroDivisionError), lock.held():
        raise ZeroDivisionError
    assert settings() == before


@contextmanager
def impatient(url: str) -> Iterator[None]:
    """Who waits for a row's lock on this MySQL is sent away after a second."""
    storage = RDBStorage(url)
    with storage.engine.connect() as connection:
        connection.exec_driver_sql("SET GLOBAL innodb_lock_wait_timeout = 1")
        try:
            yield
        finally:
            connection.exec_driver_sql("SET GLOBAL innodb_lock_wait_timeout = 50")
    storage.engine.dispose()


@pytest.mark.parametrize("server_url", ["mysql"], indirect=True)
def test_who_waits_for_longer_than_mysql_lets_others_wait_gets_in(locks, server_url):
    order: list[str] = []
    with impatient(server_url):
        holder, other, storage = locks("holder"), locks("other"), RDBStorage(server_url)
        study_id = optuna.load_study(study_name="shared", storage=storage)._study_id

        def enter() -> None:
            with other.held():
                order.append("other")

        def join() -> None:
            _tell_that_attributes_lock(storage, study_id)
            order.append("by proxy")

        waiting = [threading.Thread(target=each) for each in (enter, join)]
        with holder.held():
            for thread in waiting:
                thread.start()
            waiting[0].join(2.5)
            order.append("holder")
        for thread in waiting:
            thread.join()
        storage.engine.dispose()
    assert (order[0], sorted(order[1:])) == ("holder", ["by proxy", "other"])


# Rule: one that comes by the proxy is never inside together with one that reaches the database.
def test_who_has_no_lock_of_the_database_waits_for_its_holder_and_is_waited_for(locks, server_url):
    lock, joined, entered = locks("direct"), threading.Event(), threading.Event()
    storage = RDBStorage(server_url)
    study = optuna.load_study(study_name="shared", storage=storage)
    by_proxy = StorageMutex(study, "by proxy", lambda other: True)

    def join() -> None:
        _tell_that_attributes_lock(storage, study._study_id)
        joined.set()
        with by_proxy.held():
            entered.set()
            assert leave.wait(60)

    leave = threading.Event()
    joining = threading.Thread(target=join)
    with lock.held():
        joining.start()
        assert not joined.wait(0.5)
    assert entered.wait(60)
    order = []

    def enter() -> None:
        with lock.held():
            order.append("direct")

    direct = threading.Thread(target=enter)
    direct.start()
    direct.join(0.5)
    order.append("by proxy leaves")
    leave.set()
    direct.join()
    joining.join()
    storage.engine.dispose()
    assert order == ["by proxy leaves", "direct"]
