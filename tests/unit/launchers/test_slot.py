"""A warm slot with a real process: its answers, its deaths, time limits, and its end."""

import os
import signal

import psutil
import pytest
from slots_run import assert_all_end, run

from lightning_hpo.launchers.job import Job, SlotDied
from lightning_hpo.sweep.search.verdict import judge


def test_a_slot_answers_stays_warm_and_leaves_nothing_behind(make_workers, tmp_path):
    with make_workers() as workers:
        assert run(workers, "x=0.25").return_value == 0.25
        pids = {run(workers, "do=pid").return_value for _ in range(3)}
        assert len(pids) == 1
        failed = run(workers, "do=raise")
        assert isinstance(failed._return_value, ZeroDivisionError)
        assert run(workers, "do=pid").return_value in pids
        unpicklable = run(workers, "do=unpicklable")._return_value
        assert "must return what can be pickled" in str(unpicklable)
        unreadable = run(workers, "do=raise_two_words")._return_value
        assert str(unreadable) == "Remote jobs_for_slots.TwoWords: out of range"
        for do, what in [("opens_badly", "unpickled"), ("closes_badly", "pickled")]:
            odd = run(workers, f"do={do}")._return_value
            assert str(odd) == f"a job must return what can be {what}: out of order"
        assert run(workers, "do=pid").return_value in pids
        workers.submit(Job(1, ("do=prune",)))
        ((_, pruned),) = workers.wait(60)
    assert judge(pruned, n_objectives=1).reason == "pruned at epoch 2 with val/loss=0.5"
    # A job that was pruned has not failed, and its log says nothing else.
    (line,) = (tmp_path / "sweep" / "job_1" / "slots.log").read_text().splitlines()
    assert line.endswith("[INFO] - trial pruned at epoch 2 with val/loss=0.5")
    assert not any(psutil.pid_exists(pid) for pid in pids)


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ("die", "was killed by SIGKILL (perhaps for want of memory); its last words: these are my"),
        ("exit", "exited with status 7"),
    ],
)
def test_a_slot_that_dies_says_why_and_comes_back(make_workers, what, reason):
    with make_workers() as workers:
        before = run(workers, "do=pid").return_value
        end = run(workers, f"do={what}")
        assert isinstance(end, SlotDied)
        assert reason in end.reason
        assert run(workers, "do=pid").return_value != before


def test_a_job_that_hangs_is_ended_after_its_time(make_workers):
    with make_workers() as workers:
        end = run(workers, "do=hang", timeout_s=0.5)
        assert end == SlotDied("the job ran longer than study.trial_timeout_s=0.5", retry=False)
        assert run(workers, "x=1").return_value == 1.0


def test_a_process_that_dies_while_it_starts_holds_up_nobody(make_workers):
    """Killed at once, before it can have read anything; then the next one takes its place."""
    with make_workers() as workers:
        os.kill(workers._slots[0].pid, signal.SIGKILL)
        end = run(workers, "x=1")
        assert isinstance(end, SlotDied)
        assert run(workers, "x=1").return_value == 1.0


def test_a_busy_slot_ends_with_its_controller(make_workers):
    workers = make_workers()
    with workers:
        pid = run(workers, "do=pid").return_value
        children = run(workers, "do=have_children").return_value
        workers.submit(Job(1, ("do=hang",)))
        # What the kernel does with the pipes of a controller that was killed.
        workers._slots[0]._lifeline.close()
        assert_all_end([pid, *children])
