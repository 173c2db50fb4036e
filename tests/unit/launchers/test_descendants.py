"""The processes that jobs have started end with their slot, however that ends."""

import os
import signal
import sys

import pytest
from slots_run import assert_all_end, run

from lightning_hpo.launchers.job import Job


def test_what_a_killed_process_leaves_behind_ends_with_it(make_workers, tmp_path):
    with make_workers() as workers:
        end = run(workers, "do=leave_children")
        assert "was killed by SIGKILL" in end.reason
        children = (tmp_path / "sweep" / "children").read_text().split()
        assert_all_end(map(int, children))


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's prctl")
def test_what_is_forked_ends_with_its_slot_though_no_controller_sees_to_it(make_workers):
    with make_workers() as workers:
        children = run(workers, "do=have_children").return_value
        os.kill(workers._slots[0].pid, signal.SIGKILL)
        assert_all_end(children[:1])


@pytest.mark.parametrize("busy", [False, True])
def test_what_jobs_have_started_ends_with_the_workers(make_workers, busy):
    with make_workers() as workers:
        children = run(workers, "do=have_children").return_value
        if busy:
            workers.submit(Job(1, ("do=hang",)))
    assert_all_end(children)
