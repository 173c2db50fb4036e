"""What a slot's process is told, and what it answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.types import HydraContext
from omegaconf import DictConfig

from lightning_hpo.errors import one_line

if TYPE_CHECKING:
    from hydra.core.utils import JobReturn


# What a process says of itself before its first answer.
LISTENING, READY = "listening", "ready"


@dataclass(frozen=True)
class SlotSetup:
    """What a slot's process needs before its first job; sent to it when it listens."""

    index: int
    # These two are there before anything is unpickled, which may import a user's code.
    env: Mapping[str, str]
    log_file: Path
    threads: int
    # The function that hydra.main wraps does not pickle: named by module and qualified name.
    task: tuple[str, str]
    context: HydraContext
    config: DictConfig
    singletons: Any
    # Imported before the first job, so that its start costs nothing.
    preload: Sequence[str] = ()
    # What trains a batch, by module and name, as ``run_batch(batch, setup, answer)``.
    run_batch: tuple[str, str] | None = None


@dataclass(frozen=True)
class Job:
    """A Hydra job: its overrides, its CPU threads (None: the slot's share), and its time limit."""

    id: int
    overrides: tuple[str, ...]
    threads: int | None = None
    timeout_s: float | None = None


@dataclass(frozen=True)
class Batch:
    """Jobs that one process runs together; each is answered for itself when it ends."""

    jobs: tuple[Job, ...]


@dataclass(frozen=True)
class Answer:
    """The end of one job.

    ``spent``: the job has left the process as no other job should find it.
    """

    job_id: int
    ret: "JobReturn"
    spent: bool = False


@dataclass(frozen=True)
class Letter:
    """An answer on its way. The return is pickled for itself: it may be one that does not open."""

    job_id: int
    ret: bytes
    spent: bool

    def opened(self) -> Answer:
        try:
            ret = ForkingPickler.loads(self.ret)
        except Exception as error:
            # What a job returned is its user's class, and may do anything.
            ret = failed(TypeError(f"a job must return what can be unpickled: {one_line(error)}"))
        return Answer(self.job_id, ret, self.spent)


@dataclass(frozen=True)
class SlotDied:
    """The process ended, or was ended, before its job did; ``retry``: another may do better.

    ``blamed``: perhaps the job itself did it, so this counts as one of its tries.
    """

    reason: str
    retry: bool = True
    blamed: bool = True


def failed(error: Exception) -> "JobReturn":
    """The end of a job that ``error`` kept from its own."""
    from hydra.core.utils import JobReturn, JobStatus

    ret = JobReturn(status=JobStatus.FAILED)
    ret.return_value = error
    return ret
