"""A slot's process: jobs in, job returns out, until its controller is gone."""

import logging
import multiprocessing as mp
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib import import_module
from multiprocessing.connection import Connection
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING, Any

from hydra.core.singleton import Singleton
from hydra.types import TaskFunction

from lightning_hpo.errors import one_line
from lightning_hpo.launchers.descendants import end_group, lead_group, left_by_its_parent_alone
from lightning_hpo.launchers.job import LISTENING, READY, Batch, Job, Letter, SlotSetup, failed
from lightning_hpo.machine.allocator import keep_freed_memory
from lightning_hpo.machine.isolation import isolated, loading
from lightning_hpo.output.streams import mask_output

if TYPE_CHECKING:
    from hydra.core.utils import JobReturn


def serve(
    connection: Connection,
    lifeline: Connection,
    start_method: str | None,
    env: Mapping[str, str],
    log_file: Path | None,
    preload: Sequence[str] = (),
) -> None:
    """A slot's process: jobs in, job returns out, until the controller closes the pipe.

    ``log_file``: None: it comes with the set-up; what is said until then follows it there.
    ``preload``: what is imported before the controller is asked for anything.
    """
    # The controller decides what an interrupt means; a terminal sends it to the whole group.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    lead_group((connection, lifeline))
    threading.Thread(target=_end_with_controller, args=(lifeline,), daemon=True).start()
    os.environ.update(env)
    keep_freed_memory()
    output = _opened(log_file)
    _write_output_to(output)
    mask_output()
    # What was spawned would spawn in turn, and loader processes take seconds then.
    mp.set_start_method(start_method, force=True)
    _import_all(preload)
    connection.send(LISTENING)
    try:
        setup = connection.recv()
        if log_file is None:
            _move_output(output, setup.log_file)
        _work(connection, setup)
    except EOFError:
        return


def _import_all(modules: Sequence[str]) -> None:
    with loading():
        for module in modules:
            import_module(module)


def _work(connection: Connection, setup: SlotSetup) -> None:
    _restore_hydra(setup)
    _import_all(setup.preload)
    connection.send(READY)
    while True:
        work = connection.recv()
        with left_by_its_parent_alone():
            if isinstance(work, Batch):
                assert setup.run_batch is not None, "only a launcher of batches submits one"
                answer = partial(_send, connection)
                located(setup.run_batch)(work, setup, answer)
                continue
            ret, spent = _run(work, setup)
        _send(connection, work, ret, spent=spent)


def _send(connection: Connection, job: Job, ret: "JobReturn", *, spent: bool = False) -> None:
    # The configurations stay here: they can be large, and the controller has them.
    ret.cfg = ret.hydra_cfg = None
    try:
        payload = ForkingPickler.dumps(ret)
    except Exception as error:
        # What a job returned is its user's class, and may raise anything.
        ret = failed(TypeError(f"a job must return what can be pickled: {one_line(error)}"))
        payload = ForkingPickler.dumps(ret)
    connection.send(Letter(job.id, bytes(payload), spent))


def _end_with_controller(lifeline: Connection) -> None:
    try:
        lifeline.recv()
    except EOFError:
        end_group(os.getpid())


def _opened(log_file: Path | None) -> IO[bytes]:
    if log_file is None:
        return TemporaryFile()
    log_file.parent.mkdir(parents=True, exist_ok=True)
    return log_file.open("ab", buffering=0)


def _write_output_to(file: IO[bytes]) -> None:
    os.dup2(file.fileno(), 1)
    os.dup2(file.fileno(), 2)


def _move_output(file: IO[bytes], log_file: Path) -> None:
    """What was written to ``file`` goes to the log, and so does all that follows."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    with file, _opened(log_file) as log:
        file.seek(0)
        log.write(file.read())
        _write_output_to(log)


def _restore_hydra(setup: SlotSetup) -> None:
    from hydra.core.plugins import Plugins
    from hydra.core.utils import setup_globals

    setup_globals()
    Singleton._instances.update(setup.singletons)
    Plugins.instance()


def _run(job: Job, setup: SlotSetup) -> "tuple[JobReturn, bool]":
    """The job's end, and whether this process should take no other."""
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


def located(function: tuple[str, str]) -> Callable[..., Any]:
    module, name = function
    found: Any = sys.modules[module] if module == "__main__" else import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    return getattr(found, "__wrapped__", found)
