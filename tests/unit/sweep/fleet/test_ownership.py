"""A controller is alive exactly as long as the kernel holds its lock."""

import os
import shutil
import subprocess
import sys
import threading
import time

import pytest

from lightning_hpo.errors import UserError
from lightning_hpo.sweep.fleet.ownership import Owner

HOLD = """
import sys
from pathlib import Path
from lightning_hpo.sweep.fleet.ownership import Owner
with Owner(Path(sys.argv[1])) as owner:
    print(owner.id, flush=True)
    sys.stdin.read()
"""


def test_a_killed_controller_is_dead_and_a_running_one_is_alive(tmp_path):
    with Owner(tmp_path) as me:
        other = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            other_id = other.stdout.readline().strip()
            assert me.is_alive(other_id)
        finally:
            other.kill()
            other.communicate()
        assert not me.is_alive(other_id)
        assert me.is_alive(me.id)


def test_a_controller_that_left_is_dead(tmp_path):
    with Owner(tmp_path) as me, Owner(tmp_path) as left:
        left_id = left.id
    with Owner(tmp_path) as me:
        assert not me.is_alive(left_id)
        assert not me.is_alive("")


def test_a_machine_whose_name_changed_and_a_folder_that_was_moved_are_known_again(tmp_path):
    with Owner(tmp_path / "study") as me, Owner(tmp_path / "study") as neighbour:
        path = neighbour.id.partition(":")[2]
        assert me.is_alive(f"name-of-before:{path}")
        assert me.is_alive(f"name-of-before:/folder/of/before/{path.rpartition('/')[2]}")
    with Owner(tmp_path / "study") as me:
        assert not me.is_alive(f"name-of-before:{path}")


def test_controllers_of_one_storage_know_each_other_from_different_folders(tmp_path):
    with Owner(tmp_path / "mine") as me:
        with Owner(tmp_path / "its") as other:
            assert me.is_alive(other.id)
        assert not me.is_alive(other.id)


def test_a_lock_that_a_cleaner_removed_is_put_back_and_held(tmp_path):
    with Owner(tmp_path) as me, Owner(tmp_path) as other:
        shutil.rmtree(tmp_path / "owners")
        assert not other.is_alive(me.id)
        me.look()
        assert other.is_alive(me.id)
        with me.exclusive():
            assert (tmp_path / "owners" / "study.lock").is_file()


def test_a_lock_is_kept_young_for_those_who_clean_by_age(tmp_path):
    with Owner(tmp_path) as me:
        (lock,) = (tmp_path / "owners").iterdir()
        os.utime(lock, (0, 0))
        me.look()
        assert time.time() - lock.stat().st_mtime < 60


def test_who_waited_for_a_removed_lock_takes_the_one_in_its_place(tmp_path):
    with Owner(tmp_path) as me, Owner(tmp_path) as other:
        inside = threading.Event()

        def enter() -> None:
            with other.exclusive():
                inside.set()

        waiting = threading.Thread(target=enter)
        with me.exclusive():
            waiting.start()
            (tmp_path / "owners" / "study.lock").unlink()
        waiting.join(timeout=10)
        assert inside.is_set()


def test_something_else_in_the_place_of_the_locks_is_named(tmp_path):
    (tmp_path / "owners").touch()
    with pytest.raises(UserError, match="remove what stands in its place"), Owner(tmp_path):
        pass
