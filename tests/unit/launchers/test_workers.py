"""Warm slots with real processes: answers, deaths, time limits, isolation, no barrier."""

import multiprocessing as mp
import os
import signal
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import psutil
import pytest
from hydra import compose, initialize_config_dir
from hydra._internal.callbacks import Callbacks
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import HydraContext

from lightning_hpo.errors import StudyFailed
from lightning_hpo.launchers.job import Job, SlotDied
from lightning_hpo.launchers.workers import Workers
from lightning_hpo.sweep.search.verdict import judge

HERE = Path(__file__).parent
CONFIG = """
do: number
x: 0.5
folder: '{folder}'
# More than a pipe holds.
ballast: {ballast}
hydra:
  sweep: {{dir: '{folder}', subdir: 'job_${{hydra.job.num}}'}}
"""


@pytest.fixture
def make_workers(tmp_path, monkeypatch):
    """Workers on a configuration of their own, whose task functions stand beside this file."""
    monkeypatch.syspath_prepend(str(HERE))
    import jobs_for_slots

    conf = tmp_path / "conf"
    conf.mkdir()
    (conf / "config.yaml").write_text(
        CONFIG.format(folder=tmp_path / "sweep", ballast="x" * 100_000)
    )
    initialize_config_dir(str(conf), job_name="slots")
    config = compose("config", return_hydra_config=True)
    HydraConfig.instance().set_config(config)
    context = HydraContext(GlobalHydra.instance().config_loader(), Callbacks())
    try:
        yield lambda n_slots=1: Workers(
            n_slots=n_slots,
            threads="auto",
            hydra_context=context,
            task_function=jobs_for_slots.task,
            config=config,
        )
    finally:
        GlobalHydra.instance().clear()
        HydraConfig.instance().cfg = None
        sys.modules.pop("jobs_for_slots", None)


def run(workers: Workers, *overrides: str, timeout_s: float | None = None):
    """The end of a single job."""
    workers.submit(Job(0, overrides, timeout_s=timeout_s))
    ((_, end),) = workers.wait(60)
    return end


def assert_all_end(pids: Iterable[int]) -> None:
    """Those that a slot has left behind are waited for by another process, or by nobody."""
    deadline = time.monotonic() + 10
    for pid in pids:
        while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
            assert time.monotonic() < deadline, f"process {pid} still runs"
            time.sleep(0.01)


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


def test_a_slow_job_does_not_hold_up_the_other_slot(make_workers):
    with make_workers(2) as workers:
        run(workers, "x=0")
        workers.submit(Job(1, ("do=hang",)))
        for index in range(2, 5):
            workers.submit(Job(index, (f"x={index}",)))
            ((job, end),) = workers.wait(60)
            assert (job.id, end.return_value) == (index, float(index))
            assert workers.n_free == 1


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


def test_a_process_that_dies_while_it_starts_holds_up_nobody(make_workers):
    """Killed at once, before it can have read anything; then the next one takes its place."""
    with make_workers() as workers:
        os.kill(workers._slots[0].pid, signal.SIGKILL)
        end = run(workers, "x=1")
        assert isinstance(end, SlotDied)
        assert run(workers, "x=1").return_value == 1.0


def test_a_python_that_may_not_be_executed_is_one_line(make_workers, tmp_path, monkeypatch):
    no_program = tmp_path / "python"
    no_program.touch()
    monkeypatch.setattr(mp.spawn, "_python_exe", os.fsencode(no_program))
    with make_workers() as workers, pytest.raises(StudyFailed, match="must be able to start"):
        for _ in range(3):
            assert not run(workers).blamed


def test_the_answer_of_a_forked_child_is_nobodys(make_workers):
    """Both processes return from the job; the child does so while the next job runs."""
    with make_workers() as workers:
        child = run(workers, "do=fork").return_value
        assert run(workers, "do=open_gate").return_value == 0
        assert not psutil.pid_exists(child)
        assert run(workers, "x=2").return_value == 2.0


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


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere processes are spawned")
def test_loader_processes_start_as_in_the_controller(make_workers):
    """By fork, as torch's do on Linux, so that a lambda in a transform reaches them."""
    with make_workers() as workers:
        assert run(workers, "do=start_method").return_value is None
        loaders = run(workers, "do=fit_with_loaders").return_value
        assert len(loaders - {workers._slots[0].pid}) == 2


def test_threads_are_divided_among_slots_and_gpus_are_pinned(make_workers, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,7")
    monkeypatch.setattr("lightning_hpo.launchers.workers.cpu_cores", lambda: 8)
    with make_workers(3) as workers:
        for index in range(3):
            workers.submit(Job(index, ("do=environment",)))
        found = []
        while len(found) < 3:
            found += [end.return_value for _, end in workers.wait(60)]
    assert {env["OMP_NUM_THREADS"] for env in found} == {"2"}
    assert sorted(env["CUDA_VISIBLE_DEVICES"] for env in found) == ["4", "4", "7"]


def test_a_busy_slot_ends_with_its_controller(make_workers):
    workers = make_workers()
    with workers:
        pid = run(workers, "do=pid").return_value
        children = run(workers, "do=have_children").return_value
        workers.submit(Job(1, ("do=hang",)))
        # What the kernel does with the pipes of a controller that was killed.
        workers._slots[0]._lifeline.close()
        assert_all_end([pid, *children])
