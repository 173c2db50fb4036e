"""Several warm slots: their shares of the machine, no barrier, and a start that fails."""

import multiprocessing as mp
import os

import pytest
import warm
from omegaconf import OmegaConf
from slots_run import run

from hydra_plugins.hydra_lightning_hpo.workers import JOBS, PARTIALS, WorkersLauncher
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
    monkeypatch.setattr("lightning_hpo.machine.devices.cpu_cores", lambda: 8)
    with make_workers(3) as workers:
        for index in range(3):
            workers.submit(Job(index, ("do=environment",)))
        found = []
        while len(found) < 3:
            found += [end.return_value for _, end in workers.wait(60)]
    assert {env["OMP_NUM_THREADS"] for env in found} == {"2"}
    assert sorted(env["CUDA_VISIBLE_DEVICES"] for env in found) == ["4", "4", "7"]


# Rule: in any application a module can keep a ``_partial_`` object by save_hyperparameters, which
# drops what does not pickle; a slot of one of ours imports its jobs, and so this too.
@pytest.mark.parametrize(("ours", "module"), [(True, JOBS), (False, PARTIALS)])
def test_a_slot_imports_what_jobs_need_before_the_first_one(monkeypatch, ours, module):
    monkeypatch.setattr("lightning_hpo.composition.application.is_ours", lambda task: ours)
    launcher = WorkersLauncher(threads=1)
    launcher.setup(hydra_context=None, task_function=run, config=OmegaConf.create())
    assert launcher.settings()["preload"] == [module]
    script = f"import sys, {module}, copyreg; print(*(t.__name__ for t in copyreg.dispatch_table))"
    ran = warm.run(["-c", script], timeout=60)
    assert "_DeferredTarget" in ran.stdout.split(), ran.stderr


# Rule: ours follow the flavour of the user's classes, so nothing of ours is imported before them.
def test_before_a_users_classes_a_slot_imports_nothing_that_follows_them(monkeypatch):
    monkeypatch.setattr("lightning_hpo.composition.application.is_ours", lambda task: True)
    launcher = WorkersLauncher(threads=1)
    config = OmegaConf.create({"model": {"_target_": "mine.Model"}})
    launcher.setup(hydra_context=None, task_function=run, config=config)
    assert launcher.settings()["preload"] == ["torch"]
