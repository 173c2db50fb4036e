"""A warm slot with a real process: its answers, its deaths, time limits, and its end."""

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

import psutil
import pytest
from omegaconf import OmegaConf
from slots_run import assert_all_end, run

from lightning_hpo.launchers.job import Answer, Batch, Job, SlotDied, SlotSetup
from lightning_hpo.launchers.slot import Slot
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


def bare_slot(folder: Path, *, preload: Sequence[str] = ()) -> Slot:
    """A slot that starts and imports, and has no application whose jobs it could run."""
    setup = SlotSetup(
        index=3,
        env={},
        log_file=folder / "slot_3.log",
        threads=1,
        task=("math", "sqrt"),
        context=None,
        config=OmegaConf.create(),
        singletons={},
        preload=preload,
    )
    return Slot(setup)


def heard(slot: Slot) -> Answer | SlotDied | None:
    """What a slot says when it is ready, or when it has ended."""
    said = None
    while said is None and not slot.ready:
        assert wait(slot.waitables, 60)
        said = slot.receive()
    return said


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Callable[..., Slot]]:
    slots = []

    def start(**options: Any) -> Slot:
        slots.append(bare_slot(tmp_path, **options))
        slots[-1].start()
        return slots[-1]

    yield start
    for slot in slots:
        slot.kill()


# Rule: a slot that has never been started has nothing to end.
def test_a_slot_that_was_never_started_can_be_stopped(tmp_path: Path) -> None:
    slot = bare_slot(tmp_path)
    slot.stop()
    slot.kill()
    assert (slot.ready, slot.jobs, slot.deadline_s) == (False, [], None)


# Rule: it is ready when it says so, and idle it ends in good order.
def test_a_slot_becomes_ready_and_ends_when_it_is_told(started: Callable[..., Slot]) -> None:
    slot = started()
    assert not slot.ready
    assert heard(slot) is None
    assert slot.ready
    pid = slot.pid
    slot.stop()
    assert not psutil.pid_exists(pid)


# Rule: time is up when it is for the longest job of a batch; a batch without a limit has all of it.
def test_the_longest_job_of_a_batch_decides_when_its_time_is_up(
    started: Callable[..., Slot],
) -> None:
    slot = started()
    slot.submit(Batch((Job(0, (), timeout_s=5.0), Job(1, ()), Job(2, (), timeout_s=7.0))))
    assert [job.id for job in slot.jobs] == [0, 1, 2]
    assert slot.deadline_s == slot.started_s + 7.0
    slot.submit(Job(3, ()))
    assert (len(slot.jobs), slot.deadline_s) == (1, None)


# Rule: what kills a process before it was ready was not its job; its last words are its log's.
def test_a_process_that_dies_while_it_imports_blames_no_job(started: Callable[..., Slot]) -> None:
    slot = started(preload=["no_such_module"])
    slot.submit(Job(0, ()))
    died = heard(slot)
    assert died == SlotDied(
        "the worker process exited with status 1; its last words:"
        " ModuleNotFoundError: No module named 'no_such_module'",
        retry=True,
        blamed=False,
    )


# Rule: of a ready process the job may be to blame; the signal that ended it is named.
@pytest.mark.parametrize(
    ("number", "what"),
    [
        (signal.SIGKILL, "was killed by SIGKILL (perhaps for want of memory)"),
        (signal.SIGTERM, "was killed by SIGTERM"),
    ],
)
def test_a_ready_process_that_is_killed_may_be_its_jobs_fault(
    started: Callable[..., Slot], number: int, what: str
) -> None:
    slot = started()
    heard(slot)
    os.kill(slot.pid, number)
    died = None
    while died is None:
        assert wait(slot.waitables, 60)
        died = slot.receive()
    assert isinstance(died, SlotDied)
    assert (died.reason.partition(";")[0], died.blamed) == (f"the worker process {what}", True)


# Rule: after its death a slot starts anew with the same handle.
def test_a_slot_that_died_starts_again(started: Callable[..., Slot]) -> None:
    slot = started()
    heard(slot)
    before = slot.pid
    slot.kill()
    slot.start()
    assert not slot.ready
    assert heard(slot) is None
    assert slot.pid != before
