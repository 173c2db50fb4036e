"""The lock of PostgreSQL: one at a time, and neither a dead nor a silent holder keeps it."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import optuna
import pytest
from machines import HERE
from optuna.exceptions import StorageInternalError
from optuna.storages import RDBStorage
from sqlalchemy import text

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
def url(postgres_url: str) -> str:
    return postgres_url.replace("postgresql", "postgresql+psycopg", 1)


@pytest.fixture
def locks(url: str) -> Iterator[MakeLock]:
    """Locks of one study, each of a controller with connections of its own."""
    with ExitStack() as open_ones:

        def make(name: str, timeout_s: float = 60) -> RowLock:
            storage = RDBStorage(url)
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


def test_a_holder_that_is_killed_holds_up_nobody(locks, url):
    lock = locks("me")
    words = [sys.executable, "-W", "ignore", "-c", HOLDER, url]
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


# Rule: what is done after the connection is gone is not taken for done alone.
def test_a_lost_connection_lets_another_one_in_and_ends_with_an_error(locks):
    cut_off, other = locks("cut off"), locks("other")
    with pytest.raises(StorageInternalError, match="lock was lost"), cut_off.held():
        with other._engine.connect() as connection:
            others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            mine = "WHERE pid <> pg_backend_pid() AND datname = current_database()"
            connection.execute(text(f"{others} {mine}"))
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


# Rule: one that comes by the proxy is never inside together with one that reaches the database.
def test_who_has_no_lock_of_the_database_waits_for_its_holder_and_is_waited_for(locks, url):
    lock, joined, entered = locks("direct"), threading.Event(), threading.Event()
    storage = RDBStorage(url)
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
