"""Hydra's own launchers under our sweeper: pruning by the shared storage, and jobs that die."""

import sys
import threading
from pathlib import Path

import optuna
import pytest
from hydra.core.utils import JobReturn, JobStatus
from optuna.storages import RDBStorage
from optuna.trial import TrialState

from lightning_hpo.launchers.job import Job, SlotDied
from lightning_hpo.launchers.remote import RemoteExecutor, runs_elsewhere

sys.path.insert(0, str(Path(__file__).parents[1] / "machines"))
from machines import Machines


class FakeLauncher:
    """Answers a job when the test lets it."""

    def __init__(self) -> None:
        self.gates: dict[int, threading.Event] = {i: threading.Event() for i in range(4)}
        self.dying: set[int] = set()

    def launch(self, job_overrides, initial_job_idx):
        self.gates[initial_job_idx].wait(10)
        if initial_job_idx in self.dying:
            raise RuntimeError("job failed during processing with trace:\n...\nout of memory")
        ret = JobReturn(status=JobStatus.COMPLETED)
        ret.return_value = float(initial_job_idx)
        return [ret]


def test_a_slow_job_elsewhere_does_not_hold_up_the_others():
    launcher = FakeLauncher()
    with RemoteExecutor(launcher, n_slots=2) as executor:
        for i in (0, 1):
            assert executor.next_slot == i
            executor.submit(Job(i, ()))
        assert executor.n_free == 0
        assert executor.wait(0.01) == []
        launcher.gates[1].set()
        ((job, end),) = executor.wait(10)
        assert (job.id, end.return_value, executor.n_free) == (1, 1.0, 1)
        assert executor.next_slot == 1
        executor.submit(Job(2, ()))
        launcher.gates[2].set()
        ((job, _),) = executor.wait()
        assert job.id == 2
        launcher.gates[0].set()
        ((job, _),) = executor.wait()
        assert job.id == 0
        assert executor.wait() == []


def test_a_job_that_dies_elsewhere_is_one_dead_job():
    launcher = FakeLauncher()
    launcher.dying = {0}
    with RemoteExecutor(launcher, n_slots=2) as executor:
        for i in (0, 1):
            executor.submit(Job(i, ()))
            launcher.gates[i].set()
        ends = {}
        while len(ends) < 2:
            ends |= {job.id: end for job, end in executor.wait(10)}
    assert isinstance(ends[0], SlotDied)
    assert ends[0].reason.endswith("out of memory")
    assert "\n" not in ends[0].reason
    assert ends[0].retry
    assert ends[1].return_value == 1.0


def test_launchers_are_known_by_their_plugins():
    def launcher(module: str):
        return type("Launcher", (), {"__module__": module})()

    assert runs_elsewhere(launcher("hydra_plugins.hydra_submitit_launcher.submitit_launcher"))
    assert runs_elsewhere(launcher("hydra_plugins.hydra_ray_launcher.ray_launcher"))
    assert not runs_elsewhere(launcher("hydra_plugins.hydra_joblib_launcher.joblib_launcher"))


def study_of(url: str) -> list[optuna.trial.FrozenTrial]:
    storage = RDBStorage(url)
    try:
        return optuna.load_study(study_name="shared", storage=storage).trials
    finally:
        storage.engine.dispose()


@pytest.mark.sweep
@pytest.mark.parametrize(("package", "launcher"), [("submitit", "submitit_local"), ("ray", "ray")])
def test_jobs_elsewhere_are_pruned_and_one_that_dies_there_is_one_failed_trial(
    package, launcher, tmp_path
):
    pytest.importorskip(package, reason=f"{package} is not installed: hydra-{package}-launcher")
    machines = Machines(tmp_path)
    try:
        machine = machines.start(
            "a",
            f"hydra/launcher={launcher}",
            "hydra/sweeper/sampler=grid",
            "x=choice(0.25,0.75)",
            "pruner=threshold",
            "pruner.upper=0.5",
            "acts={0: die, 1: report, 2: report}",
            "study.n_jobs=2",
            "study.n_trials=2",
            "study.final=false",
        )
        status, _, err = machine.end()
    finally:
        machines.close()
    assert status == 0, err
    found = study_of(f"sqlite:///{machine.study_dir}/study.db")
    assert [trial.state for trial in found].count(TrialState.FAIL) == 1
    assert found[0].state is TrialState.FAIL
    assert found[2].user_attrs["retry_of"] == 0
    ended = {trial.params["x"]: trial.state for trial in found[1:]}
    assert ended == {0.25: TrialState.COMPLETE, 0.75: TrialState.PRUNED}
