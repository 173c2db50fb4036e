"""One slot: a warm process that runs one Hydra job at a time, and its handle in the controller.

A slot that dies breaks only itself. The process ends with its controller, however that one ends.
"""

import logging
import multiprocessing as mp
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from multiprocessing.connection import Connection, wait
from multiprocessing.reduction import ForkingPickler
from multiprocessing.resource_tracker import ensure_running
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.singleton import Singleton
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from lightning_hpo.errors import one_line
from lightning_hpo.launchers.descendants import end_group, lead_group, left_by_its_parent_alone
from lightning_hpo.machine.allocator import keep_freed_memory
from lightning_hpo.machine.signals import whole
from lightning_hpo.output.streams import mask_output

if TYPE_CHECKING:
    from hydra.core.utils import JobReturn

_STOP_S = 5.0
# What a process says of itself before its first answer.
_LISTENING, _READY = "listening", "ready"


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
class _Letter:
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

    def start(self) -> None:
        """Start the process; it says when it is ready."""
        spawn = mp.get_context("spawn")
        # A process that an interrupt leaves half started can neither be used nor stopped.
        with whole():
            self._connection, theirs = spawn.Pipe()
            death_notice, self._lifeline = spawn.Pipe(duplex=False)
            # Few arguments: they must fit the pipe that nobody may come to read.
            how = (_start_method(), dict(self.setup.env), self.setup.log_file)
            process = spawn.Process(
                target=serve,
                args=(theirs, death_notice, *how),
                name=f"slot-{self.setup.index}",
                daemon=False,
            )
            with _deaf_to_interrupts():
                process.start()
            self._process = process
            theirs.close()
            death_notice.close()
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
        if isinstance(message, _Letter):
            return message.opened()
        if message == _LISTENING:
            self._listens = True
            self._send_waiting()
        self.ready = self.ready or message == _READY
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
            end_group(self._process.pid)
            # One that has only begun to start leads no group yet.
            self._process.kill()
            self._process.join()

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


def serve(
    connection: Connection,
    lifeline: Connection,
    start_method: str | None,
    env: Mapping[str, str],
    log_file: Path,
) -> None:
    """A slot's process: jobs in, job returns out, until the controller closes the pipe."""
    # The controller decides what an interrupt means; a terminal sends it to the whole group.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    lead_group((connection, lifeline))
    threading.Thread(target=_end_with_controller, args=(lifeline,), daemon=True).start()
    os.environ.update(env)
    keep_freed_memory()
    _write_output_to(log_file)
    mask_output()
    # What was spawned would spawn in turn, and loader processes take seconds then.
    mp.set_start_method(start_method, force=True)
    connection.send(_LISTENING)
    try:
        _work(connection, setup=connection.recv())
    except EOFError:
        return


def _work(connection: Connection, setup: SlotSetup) -> None:
    _restore_hydra(setup)
    for module in setup.preload:
        import_module(module)
    connection.send(_READY)
    while True:
        work = connection.recv()
        with left_by_its_parent_alone():
            if isinstance(work, Batch):
                from lightning_hpo.launchers.batch import run_batch

                run_batch(work, setup, lambda job, ret: _send(connection, job, ret))
                continue
            ret, spent = _run(work, setup)
        _send(connection, work, ret, spent=spent)


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


def _send(connection: Connection, job: Job, ret: "JobReturn", *, spent: bool = False) -> None:
    # The configurations stay here: they can be large, and the controller has them.
    ret.cfg = ret.hydra_cfg = None
    try:
        payload = ForkingPickler.dumps(ret)
    except Exception as error:
        # What a job returned is its user's class, and may raise anything.
        ret = failed(TypeError(f"a job must return what can be pickled: {one_line(error)}"))
        payload = ForkingPickler.dumps(ret)
    connection.send(_Letter(job.id, bytes(payload), spent))


def failed(error: Exception) -> "JobReturn":
    """The end of a job that ``error`` kept from its own."""
    from hydra.core.utils import JobReturn, JobStatus

    ret = JobReturn(status=JobStatus.FAILED)
    ret.return_value = error
    return ret


def _end_with_controller(lifeline: Connection) -> None:
    try:
        lifeline.recv()
    except EOFError:
        end_group(os.getpid())


def _write_output_to(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)


def _restore_hydra(setup: SlotSetup) -> None:
    from hydra.core.plugins import Plugins
    from hydra.core.utils import setup_globals

    setup_globals()
    Singleton._instances.update(setup.singletons)
    Plugins.instance()


def _run(job: Job, setup: SlotSetup) -> "tuple[JobReturn, bool]":
    """The job's end, and whether this process should take no other."""
    from lightning_hpo.machine.isolation import isolated

    with isolated(job.threads or setup.threads) as isolation:
        ret = run_hydra_job(job, setup, located(setup.task))
    return ret, not isolation.is_complete


def run_hydra_job(job: Job, setup: SlotSetup, task: TaskFunction) -> "JobReturn":
    """Compose ``job``, make its folder and its log, call ``task``; a failure is in the return."""
    from hydra.core.hydra_config import HydraConfig
    from hydra.core.utils import run_job
    from omegaconf import open_dict

    from lightning_hpo.launchers.pruned import pruned_in_one_line

    try:
        config = setup.context.config_loader.load_sweep_config(setup.config, list(job.overrides))
        with open_dict(config):
            config.hydra.job.id = f"{config.hydra.job.name}_{job.id}"
            config.hydra.job.num = job.id
        HydraConfig.instance().set_config(config)
        return run_job(
            hydra_context=setup.context,
            task_function=pruned_in_one_line(task),
            config=config,
            job_dir_key="hydra.sweep.dir",
            job_subdir_key="hydra.sweep.subdir",
        )
    except Exception as error:
        # Outside the task itself: composing the job or making its folder failed.
        logging.getLogger(__name__).exception("job %s could not be started", job.id)
        return failed(error)


def located(task: tuple[str, str]) -> TaskFunction:
    module, name = task
    function: Any = sys.modules[module] if module == "__main__" else import_module(module)
    for part in name.split("."):
        function = getattr(function, part)
    return getattr(function, "__wrapped__", function)


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
