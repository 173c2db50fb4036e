"""One interface to run jobs: warm slots without a barrier, or any Hydra launcher in batches."""

from concurrent.futures import BrokenExecutor
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

from hydra.plugins.launcher import Launcher

from lightning_hpo.errors import Interrupted, one_line
from lightning_hpo.launchers.slot import Job, SlotDied

if TYPE_CHECKING:
    from hydra.core.utils import JobReturn

    End = tuple[Job, JobReturn | SlotDied]


class Executor(Protocol):
    """Takes jobs while slots are free and hands back those that have ended."""

    @property
    def n_slots(self) -> int: ...

    @property
    def n_free(self) -> int: ...

    def submit(self, job: Job) -> int: ...

    def wait(self, timeout_s: float | None = None) -> "list[End]": ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...


class BatchExecutor:
    """Collects ``n_slots`` jobs and gives them to a Hydra launcher together."""

    def __init__(self, launcher: Launcher, *, n_slots: int) -> None:
        self.n_slots = n_slots
        self._launcher = launcher
        self._queued: list[Job] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._queued.clear()

    @property
    def n_free(self) -> int:
        return self.n_slots - len(self._queued)

    def submit(self, job: Job) -> int:
        self._queued.append(job)
        return len(self._queued) - 1

    def wait(self, timeout_s: float | None = None) -> "list[End]":
        """Run what was submitted; a launcher returns only when the whole batch has ended."""
        batch, self._queued = self._queued, []
        if not batch:
            return []
        first = min(job.id for job in batch)
        try:
            returns = self._launcher.launch([list(job.overrides) for job in batch], first)
        except BrokenExecutor as error:
            # One of its processes died and took the batch with it.
            return [(job, SlotDied(one_line(error))) for job in batch]
        for end in returns:
            # In this process, Hydra takes the interrupt for the job's own failure.
            if isinstance(end._return_value, Interrupted):
                raise end._return_value
        return list(zip(batch, returns, strict=True))
