"""Several warm slots: their shares of the machine, no barrier, and a start that fails."""

import multiprocessing as mp
import os

import pytest
from slots_run import run

from lightning_hpo.errors import StudyFailed
from lightning_hpo.launchers.job import Job


def test_a_slow_job_does_not_hold_up_the_other_slot(make_workers):
    with make_workers(2) as workers:
        run(workers, "x=0")
        workers.submit(Job(1, ("do=hang",)))
        for index in range(2, 5):
            workers.submit(Job(index, (f"x={index}",)))
            ((job, end),) = workers.wait(60)
            assert (job.id, end.return_value) == (index, float(index))
            assert workers.n_free == 1


def test_a_python_that_may_not_be_executed_is_one_line(make_workers, tmp_path, monkeypatch):
    no_program = tmp_path / "python"
    no_program.touch()
    monkeypatch.setattr(mp.spawn, "_python_exe", os.fsencode(no_program))
    with make_workers() as workers, pytest.raises(StudyFailed, match="must be able to start"):
        for _ in range(3):
            assert not run(workers).blamed


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
