"""Batches for a Hydra launcher: what comes back when it breaks or is interrupted."""

import pytest
from hydra.core.utils import JobReturn, JobStatus

from lightning_hpo.errors import Interrupted
from lightning_hpo.launchers.executors import BatchExecutor
from lightning_hpo.launchers.job import Job, SlotDied


class FakeLauncher:
    """Breaks when job number ``poison`` is in the batch."""

    def __init__(self, poison: int = -1, value: object = 1.0) -> None:
        self.poison, self.value = poison, value
        self.batches: list[int] = []

    def launch(self, overrides, initial_job_idx):
        self.batches.append(len(overrides))
        if any(f"n={self.poison}" in job for job in overrides):
            raise RuntimeError("a process died")
        return [self.returned() for _ in overrides]

    def returned(self) -> JobReturn:
        failed = isinstance(self.value, Exception)
        ret = JobReturn(status=JobStatus.FAILED if failed else JobStatus.COMPLETED)
        ret.return_value = self.value
        return ret


def fill(executor: BatchExecutor, first: int) -> int:
    """Submit as many jobs as there are free slots; the number of the next one."""
    while executor.n_free:
        executor.submit(Job(first, (f"n={first}",)))
        first += 1
    return first


def test_a_broken_batch_blames_nobody_until_its_jobs_have_run_alone():
    launcher = FakeLauncher(poison=1)
    executor = BatchExecutor(launcher, n_slots=3)
    fill(executor, 0)
    ends = [end for _, end in executor.wait()]
    assert ends == [SlotDied("a process died", blamed=False)] * 3
    launcher.poison = 4
    following, blamed = 3, []
    for _ in range(3):
        following = fill(executor, following)
        ((job, end),) = executor.wait()
        blamed += [job.id] if isinstance(end, SlotDied) and end.blamed else []
    assert blamed == [4]
    fill(executor, following)
    executor.wait()
    assert launcher.batches == [3, 1, 1, 1, 3]


def test_an_interrupt_that_hydra_took_for_a_failure_is_an_interrupt():
    executor = BatchExecutor(FakeLauncher(value=Interrupted(2)), n_slots=1)
    fill(executor, 0)
    with pytest.raises(Interrupted):
        executor.wait()


class NumberingLauncher(FakeLauncher):
    """Notes the numbers that a launcher gives its jobs, on from the first, and those they have."""

    def launch(self, overrides, initial_job_idx):
        self.batches += [(initial_job_idx + k, told[0]) for k, told in enumerate(overrides)]
        return [self.returned() for _ in overrides]


# Rule: a job gets its own number, by which its folder is called, also where one between is missing.
def test_a_batch_is_cut_where_its_numbers_do_not_follow_each_other():
    launcher = NumberingLauncher()
    executor = BatchExecutor(launcher, n_slots=4)
    for number in (5, 9, 7, 8):
        executor.submit(Job(number, (str(number),)))
    ended = []
    while jobs := executor.wait():
        ended += [job.id for job, _ in jobs]
        assert executor.n_free == len(ended)
    assert ended == [5, 9, 7, 8]
    assert launcher.batches == [(n, str(n)) for n in (5, 9, 7, 8)]
