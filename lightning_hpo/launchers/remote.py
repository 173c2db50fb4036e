"""Launchers whose jobs are processes of their own elsewhere (submitit, Ray): one launch for each.

Given a whole batch, such a launcher waits for its slowest job, and one job that dies takes the
answers of the others with it. One thread for each slot avoids both.
"""

import queue
import threading
from typing import TYPE_CHECKING

from hydra.plugins.launcher import Launcher

from lightning_hpo.errors import one_line
from lightning_hpo.launchers.job import Job, SlotDied

if TYPE_CHECKING:
    from lightning_hpo.launchers.executors import End

_PLUGINS = ("hydra_submitit_launcher", "hydra_ray_launcher")


def runs_elsewhere(launcher: Launcher) -> bool:
    """Whether each job of ``launcher`` is a process that it submits and waits for."""
    return any(plugin in type(launcher).__module__ for plugin in _PLUGINS)


class RemoteExecutor:
    """At most ``n_slots`` submitted jobs at a time, without a barrier.

    The launcher's plugin sets the time limits and ends what is left at an interrupt.
    """

    def __init__(self, launcher: Launcher, *, n_slots: int) -> None:
        self.n_slots = n_slots
        self._launcher = launcher
        self._slots: dict[int, int] = {}
        self._submitted: queue.SimpleQueue[Job] = queue.SimpleQueue()
        self._ended: queue.SimpleQueue[End] = queue.SimpleQueue()

    def __enter__(self) -> "RemoteExecutor":
        # As long as this process: Linux ends the servers that Ray starts with the thread that
        # started them.
        for _ in range(self.n_slots):
            threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        # Threads that still wait for a job end with this process.
        self._slots.clear()

    @property
    def n_free(self) -> int:
        return self.n_slots - len(self._slots)

    @property
    def next_slot(self) -> int:
        return min(set(range(self.n_slots)) - set(self._slots.values()))

    def submit(self, job: Job) -> None:
        self._slots[job.id] = self.next_slot
        self._submitted.put(job)

    def wait(self, timeout_s: float | None = None) -> "list[End]":
        """Jobs that have ended, at least one unless ``timeout_s`` passes first."""
        ended: list[End] = []
        try:
            while self._slots and (not ended or not self._ended.empty()):
                ended.append(self._ended.get(timeout=timeout_s))
                del self._slots[ended[-1][0].id]
        except queue.Empty:
            return ended
        return ended

    def _serve(self) -> None:
        while True:
            self._launch(self._submitted.get())

    def _launch(self, job: Job) -> None:
        try:
            (end,) = self._launcher.launch([list(job.overrides)], job.id)
        except Exception as error:
            # The job's own exceptions come back in its return. What a launcher raises means that
            # the job died or was never run, in the words of its plugin.
            self._ended.put((job, SlotDied(f"{type(error).__name__}: {one_line(error)[-300:]}")))
        else:
            self._ended.put((job, end))
