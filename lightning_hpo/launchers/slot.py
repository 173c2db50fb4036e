"""One slot: a warm process that runs one Hydra job at a time, and its handle in the controller.

A slot that dies breaks only itself. The process ends with its controller, however that one ends.
"""

import logging
import multiprocessing as mp
import os
import pickle
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from multiprocessing.connection import Connection
from multiprocessing.reduction import ForkingPickler
from multiprocessing.resource_tracker import ensure_running
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.singleton import Singleton
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from lightning_hpo.launchers.allocator import keep_freed_memory
from lightning_hpo.output import mask_output
from lightning_hpo.sweep.signals import whole

if TYPE_CHECKING:
    from hydra.core.utils import JobReturn

_STOP_S = 5.0


@dataclass(frozen=True)
class SlotSetup:
    """What a slot's process needs before its first job; pickled into it."""

    index: int
    env: Mapping[str, str]
    threads: int
    log_file: Path
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
    """The end of one job of a batch."""

    job_id: int
    ret: "JobReturn"


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

    def start(self) -> None:
        """Start the process; it says when it is ready."""
        spawn = mp.get_context("spawn")
        # A process that an interrupt leaves half started can neither be used nor stopped.
        with whole():
            self._connection, theirs = spawn.Pipe()
            death_notice, self._lifeline = spawn.Pipe(duplex=False)
            self._process = spawn.Process(
                target=serve,
                args=(theirs, death_notice, self.setup),
                name=f"slot-{self.setup.index}",
                daemon=False,
            )
            with _deaf_to_interrupts():
                self._process.start()
            theirs.close()
            death_notice.close()
            self.ready = False

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
        try:
            self._connection.send(work)
        except (BrokenPipeError, ConnectionResetError):
            # The process died while idle; its sentinel reports that.
            logging.getLogger(__name__).debug("slot %s died before its job", self.setup.index)

    def receive(self) -> "JobReturn | Answer | SlotDied | None":
        """A job's end if there is one; None after a mere sign of readiness."""
        try:
            message = self._connection.recv() if self._connection.poll() else None
        except (EOFError, ConnectionResetError):
            message = None
        if message == "ready":
            self.ready = True
            return None
        if message is not None or self._process.is_alive():
            return message
        return SlotDied(self._reason())

    def kill(self) -> None:
        """End the process at once, whatever it does."""
        if self._process is not None:
            self._process.kill()
            self._process.join()

    def stop(self) -> None:
        """End an idle process in good order, a busy one with SIGTERM, a deaf one with SIGKILL."""
        if self._process is None:
            return
        if not self.jobs and self._process.is_alive():
            self._lifeline.close()
        else:
            self._process.terminate()
        self._process.join(_STOP_S)
        if self._process.is_alive():
            self.kill()
        self._connection.close()

    def _reason(self) -> str:
        self._process.join()
        code = self._process.exitcode
        what = f"was killed by {_signal_name(-code)}" if code < 0 else f"exited with status {code}"
        memory = " (perhaps for want of memory)" if code == -signal.SIGKILL else ""
        last = _last_line(self.setup.log_file)
        return f"the worker process {what}{memory}" + (f"; its last words: {last}" if last else "")


def serve(connection: Connection, lifeline: Connection, setup: SlotSetup) -> None:
    """A slot's process: jobs in, job returns out, until the controller closes the pipe."""
    # The controller decides what an interrupt means; a terminal sends it to the whole group.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    threading.Thread(target=_end_with_controller, args=(lifeline,), daemon=True).start()
    os.environ.update(setup.env)
    keep_freed_memory()
    _write_output_to(setup.log_file)
    mask_output()
    _restore_hydra(setup)
    for module in setup.preload:
        import_module(module)
    connection.send("ready")
    while True:
        try:
            work = connection.recv()
        except EOFError:
            return
        if isinstance(work, Batch):
            from lightning_hpo.launchers.batch import run_batch

            run_batch(work, setup, lambda job, ret: _send(connection, ret, of=job))
        else:
            _send(connection, _run(work, setup))


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


def _send(connection: Connection, ret: "JobReturn", of: Job | None = None) -> None:
    # The configurations stay here: they can be large, and the controller has them.
    ret.cfg = ret.hydra_cfg = None
    try:
        payload = ForkingPickler.dumps(_message(ret, of))
    except (pickle.PicklingError, TypeError, AttributeError) as error:
        ret = failed(TypeError(f"a job must return what can be pickled: {error}"))
        payload = ForkingPickler.dumps(_message(ret, of))
    connection.send_bytes(payload)


def _message(ret: "JobReturn", of: Job | None) -> "JobReturn | Answer":
    return ret if of is None else Answer(of.id, ret)


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
        os._exit(0)


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


def _run(job: Job, setup: SlotSetup) -> "JobReturn":
    from lightning_hpo.launchers.isolation import isolated

    with isolated(job.threads or setup.threads):
        return run_hydra_job(job, setup, located(setup.task))


def run_hydra_job(job: Job, setup: SlotSetup, task: TaskFunction) -> "JobReturn":
    """Compose ``job``, make its folder and its log, call ``task``; a failure is in the return."""
    from hydra.core.hydra_config import HydraConfig
    from hydra.core.utils import run_job
    from omegaconf import open_dict

    try:
        config = setup.context.config_loader.load_sweep_config(setup.config, list(job.overrides))
        with open_dict(config):
            config.hydra.job.id = f"{config.hydra.job.name}_{job.id}"
            config.hydra.job.num = job.id
        HydraConfig.instance().set_config(config)
        return run_job(
            hydra_context=setup.context,
            task_function=task,
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
