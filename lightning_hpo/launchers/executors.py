"""One interface to run jobs: warm slots without a barrier, or any Hydra launcher in batches."""

from collections.abc import Sequence
from itertools import takewhile
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self, runtime_checkable

from hydra.plugins.launcher import Launcher

from lightning_hpo.errors import Interrupted, one_line
from lightning_hpo.launchers.descendants import left_by_its_parent_alone
from lightning_hpo.launchers.job import Job, SlotDied

if TYPE_CHECKING:
    from hydra.core.utils import JobReturn

    End = tuple[Job, JobReturn | SlotDied]


class Executor(Protocol):
    """Takes jobs while slots are free and hands back those that have ended."""

    @property
    def n_slots(self) -> int: ...

    @property
    def n_free(self) -> int: ...

    @property
    def next_slot(self) -> int:
        """The index of the slot that takes the next job; one must be free."""

    def submit(self, job: Job) -> None: ...

    def wait(self, timeout_s: float | None = None) -> "list[End]": ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...


@runtime_checkable
class LaunchesSlots(Protocol):
    """A Hydra launcher that gives jobs one by one to processes of its own."""

    def workers(self, n_slots: int) -> Executor:
        """``n_slots`` of these processes, which start when the executor is entered."""


class BatchExecutor:
    """Collects ``n_slots`` jobs and gives them to a Hydra launcher together.

    A launcher that fails does not say which job broke it, so the next ones run alone, those of the
    broken batch first: then only the guilty one is blamed. A launcher numbers a batch on from its
    first job, and a job's number names its folder; so the jobs of a batch follow each other.
    """

    def __init__(self, launcher: Launcher, *, n_slots: int) -> None:
        self.n_slots = n_slots
        self._launcher = launcher
        self._queued: list[Job] = []
        self._alone = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._queued.clear()

    @property
    def n_free(self) -> int:
        return max(0, self._at_once - len(self._queued))

    @property
    def _at_once(self) -> int:
        return 1 if self._alone else self.n_slots

    @property
    def next_slot(self) -> int:
        return len(self._queued)

    def submit(self, job: Job) -> None:
        self._queued.append(job)

    def wait(self, timeout_s: float | None = None) -> "list[End]":
        """Run what was submitted; a launcher returns only when the whole batch has ended."""
        batch = _consecutive(self._queued[: self._at_once])
        del self._queued[: len(batch)]
        if not batch:
            return []
        self._alone = max(0, self._alone - 1)
        try:
            with left_by_its_parent_alone():
                returns = self._launcher.launch([list(job.overrides) for job in batch], batch[0].id)
        except RuntimeError as error:
            # joblib's and submitit's word for a process that died; a job's own errors are returned.
            several = len(batch) > 1
            self._alone = len(batch) if several else self._alone
            return [(job, SlotDied(one_line(error), blamed=not several)) for job in batch]
        for end in returns:
            # A launcher that catches everything takes the interrupt for the job's own failure.
            if isinstance(end._return_value, Interrupted):
                raise end._return_value
        return list(zip(batch, returns, strict=True))


def _consecutive(jobs: Sequence[Job]) -> list[Job]:
    """The first of ``jobs``, as long as each has the number after the one before."""
    run = takewhile(lambda pair: pair[1].id == jobs[0].id + pair[0], enumerate(jobs))
    return [job for _, job in run]
