"""A fit in ranks of its own (``trainer.strategy=ddp_spawn``), as part of a job.

The ranks are processes that the Trainer starts. Of what happens there Lightning brings home the
weights and the last metrics; this module also brings the state of the callbacks, the number of
epochs and what a rank raised, and sees that no rank outlives its job.
"""

import os
import pickle
import re
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import optuna
import torch
from torch.multiprocessing import (  # type: ignore[attr-defined]
    ProcessExitedException,
    ProcessRaisedException,
    _prctl_pr_set_pdeathsig,
)

from lightning_hpo.callbacks.reporting import callbacks_of, in_own_ranks
from lightning_hpo.errors import ProcessDied, UserError
from lightning_hpo.flavour import pl
from lightning_hpo.output.streams import mask_output

_LUGGAGE = "ranks.pickle"


def check_strategy(trainer: pl.Trainer) -> None:
    """Refuse strategies whose ranks are the whole command once more: a job is not a command."""
    if isinstance(trainer.strategy.launcher, pl.strategies.launchers._SubprocessScriptLauncher):
        raise UserError(
            "a job must start its ranks itself, but got "
            f"{type(trainer.strategy).__name__}, which starts the whole command in each;"
            " use trainer.strategy=ddp_spawn, or trainer.devices=1."
        )


def check_storage(trainer: pl.Trainer, trials: Sequence[object]) -> None:
    """Refuse a storage that ranks cannot share with the study of ``trials``."""
    storages = [trial.storage for trial in trials if isinstance(trial, optuna.trial.Trial)]
    in_memory = any(isinstance(s, optuna.storages.InMemoryStorage) for s in storages)
    if in_memory and in_own_ranks(trainer):
        raise UserError(
            "ranks must share the study's storage, but it is in the memory of another process"
            " (InMemoryStorage); use study.storage=null, or trainer.devices=1."
        )


def fit(
    trainer: pl.Trainer,
    module: pl.LightningModule,
    data: pl.LightningDataModule,
    *,
    folder: Path,
    errors: Sequence[type[Exception]],
) -> int:
    """``trainer.fit``, here or in ranks; the number of epochs. ``folder``: for a file on the way.

    Afterwards the callbacks are as rank 0 left them. What a rank raised is raised here: one of
    ``errors``, of which the message is a line, as itself, another as RuntimeError; a rank that was
    killed is :class:`ProcessDied`.
    """
    if not in_own_ranks(trainer):
        trainer.fit(module, datamodule=data)
        return trainer.current_epoch
    luggage = Luggage(folder / _LUGGAGE)
    callbacks_of(trainer).append(luggage)
    with _rank_environment(trainer.num_devices):
        try:
            trainer.fit(module, datamodule=data)
        except ProcessRaisedException as error:
            raise raised_in_rank(error, errors) from None
        except ProcessExitedException as error:
            raise died(error) from None
    return luggage.unpack(trainer)


class Luggage(pl.Callback):
    """Carries callbacks' states from rank 0 to the process that started it, through a file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.home_pid = os.getpid()

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        # torch asks the kernel for SIGINT then, which our workers, and so their children, ignore.
        _prctl_pr_set_pdeathsig(signal.SIGKILL)
        if os.getppid() != self.home_pid:
            os._exit(1)
        # As in the job's own process; see denormals.py.
        torch.set_flush_denormal(True)
        mask_output()

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.is_global_zero:
            states = [callback.state_dict() for callback in callbacks_of(trainer)]
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.write_bytes(pickle.dumps((trainer.current_epoch, states)))

    def unpack(self, trainer: pl.Trainer) -> int:
        """Give the callbacks of ``trainer`` their states; the number of epochs."""
        epochs, states = pickle.loads(self.path.read_bytes())
        self.path.unlink()
        for callback, state in zip(callbacks_of(trainer), states, strict=True):
            if state:
                callback.load_state_dict(state)
        return epochs


def raised_in_rank(error: ProcessRaisedException, errors: Sequence[type[Exception]]) -> Exception:
    """What a rank raised, from the traceback that torch hands over as text."""
    last = str(error).strip().splitlines()[-1]
    found = re.fullmatch(r"(?:[\w.]+\.)?(\w+): (.*)", last)
    for kind in errors:
        if found is not None and found[1] == kind.__name__:
            return kind(found[2])
    return RuntimeError(f"rank {error.error_index} raised {last}")


def died(error: ProcessExitedException) -> ProcessDied:
    """The end of a rank that raised nothing: somebody killed it, or it called ``exit``."""
    how = error.signal_name or f"exit status {error.exit_code}"
    memory = " (perhaps for want of memory)" if error.signal_name == "SIGKILL" else ""
    return ProcessDied(f"rank {error.error_index} died of {how}{memory}")


@contextmanager
def _rank_environment(n_ranks: int) -> Iterator[None]:
    """Divide this job's threads among its ranks, and let each fit find a free port of its own."""
    before = dict(os.environ)
    os.environ["OMP_NUM_THREADS"] = str(max(1, torch.get_num_threads() // n_ranks))
    os.environ.pop("MASTER_PORT", None)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
