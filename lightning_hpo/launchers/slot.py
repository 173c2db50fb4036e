"""One slot, seen from the controller: the handle of a warm process that runs a job at a time.

A slot that dies breaks only itself. The process ends with its controller, however that one ends.
"""

import logging
import multiprocessing as mp
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import wait
from multiprocessing.resource_tracker import ensure_running
from pathlib import Path
from typing import Any, NamedTuple

from lightning_hpo.launchers.descendants import end_group
from lightning_hpo.launchers.job import (
    LISTENING,
    READY,
    Answer,
    Batch,
    Job,
    Letter,
    SlotDied,
    SlotSetup,
)
from lightning_hpo.launchers.process import serve
from lightning_hpo.machine.signals import whole

_STOP_S = 5.0


class Started(NamedTuple):
    """A slot's process that has been started, and the controller's ends of its pipes."""

    process: Any
    connection: Any
    lifeline: Any


def started(
    env: Mapping[str, str], log_file: Path | None, *, name: int, preload: Sequence[str] = ()
) -> Started:
    """A new process of the slot ``name``; see :func:`lightning_hpo.launchers.process.serve`."""
    spawn = mp.get_context("spawn")
    with whole():
        ours, theirs = spawn.Pipe()
        death_notice, lifeline = spawn.Pipe(duplex=False)
        # Few arguments: they must fit the pipe that nobody may come to read.
        how = (_start_method(), dict(env), log_file, tuple(preload))
        process = spawn.Process(
            target=serve, args=(theirs, death_notice, *how), name=f"slot-{name}", daemon=False
        )
        with _deaf_to_interrupts():
            process.start()
        theirs.close()
        death_notice.close()
    return Started(process, ours, lifeline)


def end(process: Any) -> None:
    """Kill a slot's process, and all that its jobs have started."""
    end_group(process.pid)
    # One that has only begun to start leads no group yet.
    process.kill()
    process.join()


@dataclass
class Slot:
    """The controller's handle of one process."""

    setup: SlotSetup
    # What it runs and has not answered yet: one job, or those of a batch.
    jobs: list[Job] = field(default_factory=list)
    started_s: float = 0.0
    ready: bool = False
    _process: Any = field(default=None, repr=False)
    _connection: Any = field(default=None, repr=False)
    _lifeline: Any = field(default=None, repr=False)
    # What waits for the process to listen: nobody may wait for one that dies while it starts.
    _unsent: list[Any] = field(default_factory=list, repr=False)
    _listens: bool = field(default=False, repr=False)

    def start(self, early: Started | None = None) -> None:
        """Start the process, or go on with one that has started; it says when it is ready."""
        # A process that an interrupt leaves half started can neither be used nor stopped.
        with whole():
            begun = early or started(self.setup.env, self.setup.log_file, name=self.setup.index)
            self._process, self._connection, self._lifeline = begun
            self.ready = self._listens = False
            self._unsent = [self.setup]

    @property
    def deadline_s(self) -> float | None:
        """When the time of what it runs is up, by the monotonic clock."""
        limits = [job.timeout_s for job in self.jobs if job.timeout_s is not None]
        return self.started_s + max(limits) if limits else None

    @property
    def waitables(self) -> list[Any]:
        """What :func:`multiprocessing.connection.wait` wakes on: an answer, or the end."""
        return [self._connection, self._process.sentinel]

    @property
    def pid(self) -> int:
        return self._process.pid

    def submit(self, work: Job | Batch) -> None:
        self.jobs = list(work.jobs) if isinstance(work, Batch) else [work]
        self.started_s = time.monotonic()
        self._unsent.append(work)
        if self._listens:
            self._send_waiting()

    def receive(self) -> Answer | SlotDied | None:
        """A job's end if there is one; None after a mere sign of life."""
        try:
            message = self._connection.recv() if self._connection.poll() else None
        except (EOFError, ConnectionResetError):
            message = None
        if isinstance(message, Letter):
            return message.opened()
        if message == LISTENING:
            self._listens = True
            self._send_waiting()
        self.ready = self.ready or message == READY
        if message is not None or self._process.is_alive():
            return None
        # One that has never been ready has not begun with its job.
        return SlotDied(self._reason(), blamed=self.ready)

    def _send_waiting(self) -> None:
        waiting, self._unsent = self._unsent, []
        try:
            for message in waiting:
                self._connection.send(message)
        except (BrokenPipeError, ConnectionResetError):
            # The process has died; its sentinel reports that.
            logging.getLogger(__name__).debug("slot %s died before its job", self.setup.index)

    def kill(self) -> None:
        """End the process at once, whatever it does, and all that its jobs have started."""
        if self._process is not None:
            end(self._process)

    def stop(self) -> None:
        """End an idle process in good order, a busy one with SIGTERM, a deaf one with SIGKILL."""
        if self._process is None:
            return
        if self._process.is_alive() and not self.jobs:
            self._lifeline.close()
            self._process.join(_STOP_S)
        elif self._process.is_alive():
            self._process.terminate()
            # An answer will do: a fit of Lightning's takes the signal for its own end alone.
            wait(self.waitables, _STOP_S)
        self.kill()
        self._connection.close()

    def _reason(self) -> str:
        # What the process leaves behind ends with it.
        self.kill()
        code = self._process.exitcode
        what = f"was killed by {_signal_name(-code)}" if code < 0 else f"exited with status {code}"
        memory = " (perhaps for want of memory)" if code == -signal.SIGKILL else ""
        last = _last_line(self.setup.log_file)
        return f"the worker process {what}{memory}" + (f"; its last words: {last}" if last else "")


def _start_method() -> str | None:
    """How this process starts others; None: as the system does by default."""
    method = mp.get_start_method(allow_none=True)
    return None if method == mp.get_all_start_methods()[0] else method


@contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """A process that is started within begins with SIGINT blocked, until it says what to do."""
    # It unblocks the signal when it starts, so it has to be there before.
    ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _last_line(path: Path) -> str:
    if not path.is_file():
        return ""
    lines = path.read_text(errors="replace").strip().splitlines()
    return lines[-1][:200] if lines else ""
