"""The ``stacked`` launcher: warm processes, each of which trains a batch of trials as one stack."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from lightning_hpo.errors import UserError
from lightning_hpo.launchers.job import Batch, Job, SlotDied
from lightning_hpo.launchers.slot import Slot
from lightning_hpo.launchers.workers import Workers
from lightning_hpo.machine.devices import visible_gpus

if TYPE_CHECKING:
    from hydra.core.utils import JobReturn

# As benchmarks/study.py measured: eight folds fill a CPU core's cache, and further trials leave it.
_AUTO_ON_CPU = 1
_AUTO_ON_GPU = 256
# Convolutions keep what lies between their layers for each image of a minibatch.
_AUTO_OF_IMAGES_ON_GPU = 32


def trials_of_batch(batch: int | str, model: str) -> int:
    """``study.batch`` as a number, for ``auto`` by the class of the ``model``, a dotted name.

    Raises:
        UserError: for what is no number of trials.
    """
    if batch == "auto" and visible_gpus():
        return _AUTO_ON_GPU if ".MLP" in model else _AUTO_OF_IMAGES_ON_GPU
    if batch == "auto":
        return _AUTO_ON_CPU
    if not isinstance(batch, int) or batch < 1:
        raise UserError(f"study.batch must be 'auto' or at least 1, got study.batch={batch}.")
    return batch


class StackedWorkers(Workers):
    """Takes up to ``batch`` trials for each process; what is submitted starts with ``wait``.

    A process is free again when the last of its trials has ended. Where one dies with several
    trials, nobody knows which of them broke it: as many run alone next, and only the guilty one is
    blamed. Jobs that are no trials run alone too, one in each process.
    """

    def __init__(self, *, batch: int | str, model: str, **of_workers: Any) -> None:
        super().__init__(**of_workers)
        self._batch = trials_of_batch(batch, model)
        self._queue: list[Job] = []
        self._alone = 0

    @property
    def n_free(self) -> int:
        return len(self._free_slots()) * self._batch_now - len(self._queue)

    @property
    def next_slot(self) -> int:
        """The index of the slot that takes the next job."""
        free = self._free_slots()
        return free[len(self._queue) // self._batch_now % len(free)].setup.index

    def submit(self, job: Job) -> None:
        self._queue.append(job)

    def wait(self, timeout_s: float | None = None) -> "list[tuple[Job, JobReturn | SlotDied]]":
        """Start what was submitted; jobs that have ended, as in :meth:`Workers.wait`."""
        for slot in self._free_slots():
            if self._queue:
                slot.submit(self._next_work(len(self._free_slots())))
        return super().wait(timeout_s)

    @property
    def _batch_now(self) -> int:
        return 1 if self._alone else self._batch

    def _next_work(self, n_slots: int) -> Job | Batch:
        """The share of one of ``n_slots`` free slots in the queue."""
        if not _is_trial(self._queue[0]):
            return self._queue.pop(0)
        share = min(self._batch_now, -(-len(self._queue) // n_slots))
        self._alone = max(0, self._alone - share)
        taken, self._queue = self._queue[:share], self._queue[share:]
        return Batch(tuple(taken))

    def _collect(self, slot: Slot) -> "list[tuple[Job, JobReturn | SlotDied]]":
        ended = super()._collect(slot)
        if len(ended) == 1:
            return ended
        self._alone += len(ended)
        return [
            (job, replace(end, blamed=False) if isinstance(end, SlotDied) else end)
            for job, end in ended
        ]


def _is_trial(job: Job) -> bool:
    return not any(override.startswith("study.job=") for override in job.overrides)
