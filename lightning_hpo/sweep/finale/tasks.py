"""Jobs that wait for each other: which of them starts next, and what one that fails ends."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lightning_hpo.errors import StudyFailed, UserError
from lightning_hpo.launchers.executors import Executor
from lightning_hpo.launchers.job import Job, SlotDied
from lightning_hpo.sweep.search.verdict import required_result


@dataclass(frozen=True)
class Task:
    """What stands behind a job of the final job.

    ``name``: of its folder. ``says``: the line above it, told once for all tasks that share it.
    ``after``: the names of those that must have ended. ``alone``: on all cores, beside nothing
    else. ``extra``: when it fails, only what is after it falls away.
    """

    name: str
    says: str
    after: frozenset[str] = frozenset()
    alone: bool = False
    extra: bool = False


@dataclass
class TaskRun:
    """Runs jobs, the first ones first, on whatever slot is free; see :meth:`run`.

    ``started`` is told of each try; ``ended`` with the job's result, or None when its process died,
    after which it is tried once more, or when an extra one failed. ``failure``: the message for one
    that fails, with ``{reason}`` for the reason. ``spared``: is told of a failure that is not the
    user's mistake, in place of raising it; None: it is raised.
    """

    executor: Executor
    tasks: Mapping[Job, Task]
    started: Callable[[Job], None]
    ended: Callable[[Job, Mapping[str, Any] | None], None]
    failure: Callable[[Job], str]
    spared: Callable[[Job, StudyFailed], None] | None = None
    waiting: list[Job] = field(init=False)
    running: set[Job] = field(init=False, default_factory=set)
    again: set[Job] = field(init=False, default_factory=set)
    failed: list[Exception] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        self.waiting = list(self.tasks)

    def run(self) -> None:
        """Run all; raises what ended one, at once or for an extra one when the others have ended.

        An extra one's is always :class:`StudyFailed`, behind which results are written all the
        same.
        """
        while self.waiting or self.running:
            while (job := self.next()) is not None:
                self.waiting.remove(job)
                self.running.add(job)
                self.started(job)
                self.executor.submit(job)
            for job, end in self.executor.wait():
                self.running.remove(job)
                if isinstance(end, SlotDied) and not (end.blamed and job in self.again):
                    self._try_again(job, blamed=end.blamed)
                else:
                    self._conclude(job, end)
        if self.failed:
            raise StudyFailed(str(self.failed[0]))

    def next(self) -> Job | None:
        """The first job that may start now."""
        if not self.executor.n_free or any(self.tasks[job].alone for job in self.running):
            return None
        unfinished = {self.tasks[job].name for job in (*self.waiting, *self.running)}
        ready = (job for job in self.waiting if not self.tasks[job].after & unfinished)
        return next((job for job in ready if not (self.tasks[job].alone and self.running)), None)

    def _try_again(self, job: Job, *, blamed: bool) -> None:
        if blamed:
            self.again.add(job)
        # First: other launchers run those of a broken batch alone, and only so many.
        self.waiting.insert(0, job)
        self.ended(job, None)

    def _conclude(self, job: Job, end: Any) -> None:
        try:
            result = required_result(end, failure=self.failure(job))
        except (StudyFailed, UserError) as error:
            self._take_failure(job, error)
            result = None
        self.ended(job, result)

    def _take_failure(self, job: Job, error: UserError) -> None:
        if self.spared is not None and isinstance(error, StudyFailed):
            self.spared(job, error)
            return
        if not self.tasks[job].extra:
            raise error
        self.failed.append(error)
        name = self.tasks[job].name
        self.waiting = [other for other in self.waiting if name not in self.tasks[other].after]
