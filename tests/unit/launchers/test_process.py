"""What a slot's process does with a job, and that the next one finds nothing of it."""

import os
import sys

import psutil
import pytest
from slots_run import run


def test_nothing_leaks_from_one_job_to_the_next(make_workers):
    with make_workers() as workers:
        before = run(workers, "do=state").return_value
        assert run(workers, "do=spoil").return_value is None
        assert run(workers, "do=state").return_value == before
        assert before[1] == os.getcwd()


def test_a_job_that_cannot_be_undone_takes_its_process_along(make_workers):
    with make_workers() as workers:
        before = run(workers, "do=be_nice").return_value
        assert workers.n_free == 1
        assert run(workers, "do=pid").return_value != before
    assert not psutil.pid_exists(before)


def test_the_answer_of_a_forked_child_is_nobodys(make_workers):
    """Both processes return from the job; the child does so while the next job runs."""
    with make_workers() as workers:
        child = run(workers, "do=fork").return_value
        assert run(workers, "do=open_gate").return_value == 0
        assert not psutil.pid_exists(child)
        assert run(workers, "x=2").return_value == 2.0


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere processes are spawned")
def test_loader_processes_start_as_in_the_controller(make_workers):
    """By fork, as torch's do on Linux, so that a lambda in a transform reaches them."""
    with make_workers() as workers:
        assert run(workers, "do=start_method").return_value is None
        loaders = run(workers, "do=fit_with_loaders").return_value
        assert len(loaders - {workers._slots[0].pid}) == 2
