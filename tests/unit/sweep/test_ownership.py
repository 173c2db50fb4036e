"""A controller is alive exactly as long as the kernel holds its lock."""

import subprocess
import sys

from lightning_hpo.sweep.ownership import Owner

HOLD = """
import sys
from pathlib import Path
from lightning_hpo.sweep.ownership import Owner
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
