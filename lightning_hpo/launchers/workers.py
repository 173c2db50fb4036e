"""The ``workers`` launcher: warm slots that take jobs one by one, without a barrier."""

import time
from collections.abc import Sequence
from contextlib import ExitStack
from multiprocessing.connection import wait
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.plugins import Plugins
from hydra.core.singleton import Singleton
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from lightning_hpo.composition.application import is_ours
from lightning_hpo.errors import StudyFailed, one_line
from lightning_hpo.launchers import early
from lightning_hpo.launchers.job import Answer, Job, SlotDied, SlotSetup, failed
from lightning_hpo.launchers.slot import Slot, Started
from lightning_hpo.machine.devices import environment_of_slot, threads_of_slot, visible_gpus
from lightning_hpo.protocol.folder import StudyFolder

if TYPE_CHECKING:
    from hydra.core.utils import JobReturn

# A process that cannot even start will not start the next time either.
_MAX_FAILED_STARTS = 3
# A process in C that a job has forked may hide the end of its slot from those who wait for it.
_LOOK_ROUND_S = 1.0


class Workers:
    """``n_slots`` warm processes; a context manager that leaves none behind.

    ``submit`` needs a free slot, ``wait`` returns the jobs that have ended by then.
    """

    def __init__(
        self,
        *,
        n_slots: int,
        threads: int | str,
        hydra_context: HydraContext,
        task_function: TaskFunction,
        config: DictConfig,
        preload: Sequence[str] = (),
        run_batch: tuple[str, str] | None = None,
    ) -> None:
        gpus = visible_gpus()
        # In another application a key of this name is its own.
        share_of_gpus = OmegaConf.select(config, "study.gpus_per_trial", default=1)
        per_trial = float(share_of_gpus or 1) if is_ours(task_function) else 1.0
        share = threads_of_slot(threads, n_slots)
        singletons = _hydra_singletons()
        folder = StudyFolder(Path(config.hydra.sweep.dir))
        self._slots = [
            Slot(
                SlotSetup(
                    index=index,
                    env=environment_of_slot(index, share, gpus, per_trial),
                    threads=share,
                    log_file=folder.slot_log(index),
                    task=(task_function.__module__, task_function.__qualname__),
                    context=hydra_context,
                    config=config,
                    singletons=singletons,
                    preload=preload,
                    run_batch=run_batch,
                )
            )
            for index in range(n_slots)
        ]
        self._failed_starts = 0

    def __enter__(self) -> "Workers":
        # An interrupt between two starts must stop those that have been started.
        with ExitStack() as started:
            for slot in self._slots:
                started.callback(slot.stop)
                is_first = slot is self._slots[0]
                _start(slot, early.taken(slot.setup.env, slot.setup.preload) if is_first else None)
            self._started = started.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._started.close()

    @property
    def n_slots(self) -> int:
        return len(self._slots)

    @property
    def n_free(self) -> int:
        return sum(not slot.jobs for slot in self._slots)

    @property
    def next_slot(self) -> int:
        """The index of a free slot, of one that is already warm if there is one."""
        return self._free_slots()[0].setup.index

    def submit(self, job: Job) -> None:
        """Give ``job`` to the next slot."""
        self._slots[self.next_slot].submit(job)

    def wait(self, timeout_s: float | None = None) -> "list[tuple[Job, JobReturn | SlotDied]]":
        """Jobs that have ended, at least one unless ``timeout_s`` passes first."""
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            wait([w for slot in self._slots for w in slot.waitables], self._patience(deadline))
            ended = [end for slot in self._slots for end in self._collect(slot)]
            busy = any(slot.jobs for slot in self._slots)
            if ended or not busy or (deadline is not None and time.monotonic() >= deadline):
                return ended

    def _patience(self, deadline: float | None) -> float:
        limits = [deadline, *(slot.deadline_s for slot in self._slots)]
        left = [limit - time.monotonic() for limit in limits if limit is not None]
        return max(0.0, min([_LOOK_ROUND_S, *left]))

    def _free_slots(self) -> list[Slot]:
        """Those that have nothing to do, warm ones first."""
        free = [slot for slot in self._slots if not slot.jobs]
        return sorted(free, key=lambda slot: not slot.ready)

    def _collect(self, slot: Slot) -> "list[tuple[Job, JobReturn | SlotDied]]":
        end = slot.receive()
        if end is None and slot.deadline_s is not None and time.monotonic() >= slot.deadline_s:
            slot.kill()
            limit = f"study.trial_timeout_s={slot.jobs[0].timeout_s:g}"
            end = SlotDied(f"the job ran longer than {limit}", retry=False)
        if end is None:
            return []
        if isinstance(end, Answer):
            return self._answered(slot, end)
        jobs, slot.jobs = slot.jobs, []
        self._replace(slot, end)
        return [(job, end) for job in jobs]

    @staticmethod
    def _answered(slot: Slot, answer: Answer) -> "list[tuple[Job, JobReturn | SlotDied]]":
        # One that answers nothing that was asked is a stray process's.
        jobs = [job for job in slot.jobs if job.id == answer.job_id]
        slot.jobs = [job for job in slot.jobs if job not in jobs]
        if answer.spent:
            slot.kill()
            _start(slot)
        return [(job, answer.ret) for job in jobs]

    def _replace(self, slot: Slot, death: SlotDied) -> None:
        self._failed_starts = 0 if slot.ready else self._failed_starts + 1
        if self._failed_starts >= _MAX_FAILED_STARTS:
            raise StudyFailed(
                f"worker processes must be able to start, but {self._failed_starts} in a row did"
                f" not: {death.reason}. See {slot.setup.log_file}, or use hydra/launcher=basic."
            )
        _start(slot)


def _start(slot: Slot, begun: Started | None = None) -> None:
    try:
        slot.start(begun)
    except OSError as error:
        raise StudyFailed(
            f"worker processes must be able to start, but: {one_line(error)}. Choose a smaller"
            " study.n_jobs, or use hydra/launcher=basic."
        ) from error


def launch_batch(
    workers: Workers, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
) -> "Sequence[JobReturn]":
    """All jobs of a batch by running ``workers``, in order, for sweepers that know no slots."""
    jobs = [Job(initial_job_idx + i, tuple(o)) for i, o in enumerate(job_overrides)]
    pending = list(jobs)
    returns: dict[int, JobReturn] = {}
    while len(returns) < len(jobs):
        while pending and workers.n_free:
            workers.submit(pending.pop(0))
        for job, end in workers.wait():
            if isinstance(end, SlotDied):
                end = failed(RuntimeError(end.reason))
            returns[job.id] = end
    return [returns[job.id] for job in jobs]


def _hydra_singletons() -> dict[Any, Any]:
    # Resolvers and plugins are set up anew in each process: lambdas do not pickle.
    return {cls: obj for cls, obj in Singleton._instances.items() if cls is not Plugins}
