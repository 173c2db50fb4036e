"""Jobs that run elsewhere: none holds up another, and one that dies is one dead job."""

import threading

from hydra.core.utils import JobReturn, JobStatus

from lightning_hpo.launchers.job import Job, SlotDied
from lightning_hpo.launchers.remote import RemoteExecutor, runs_elsewhere


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
