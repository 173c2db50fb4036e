"""Which deaths of a process use up the second try of a job."""

from collections.abc import Sequence

import pytest
from hydra.core.utils import JobReturn, JobStatus

from lightning_hpo.errors import StudyFailed
from lightning_hpo.launchers.job import Job, SlotDied
from lightning_hpo.sweep.finale.tasks import Task, TaskRun


class Ending:
    """An executor of one slot, whose jobs end as told and then well."""

    n_slots = 1

    def __init__(self, ends: Sequence[SlotDied]) -> None:
        self.ends, self.running = list(ends), []
        self.n_tries = 0

    @property
    def n_free(self) -> int:
        return 1 - len(self.running)

    def submit(self, job: Job) -> None:
        self.running.append(job)
        self.n_tries += 1

    def wait(self, timeout_s: float | None = None) -> list[tuple[Job, object]]:
        job = self.running.pop()
        if self.ends:
            return [(job, self.ends.pop(0))]
        ret = JobReturn(status=JobStatus.COMPLETED)
        ret.return_value = {}
        return [(job, ret)]


def tries(*blamed: bool) -> int:
    """How often a job runs whose process dies so often, each time with or without blame."""
    executor = Ending([SlotDied("killed", blamed=each) for each in blamed])
    task = {Job(0, ()): Task("refit", "refit")}
    TaskRun(executor, task, lambda job: None, lambda job, end: None, lambda job: "{reason}").run()
    return executor.n_tries


def test_a_job_is_tried_again_once():
    assert tries(True) == 2
    with pytest.raises(StudyFailed, match="killed"):
        tries(True, True)


def test_a_process_that_died_before_its_job_began_does_not_count():
    assert tries(False, False, True) == 4
