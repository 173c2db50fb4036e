"""Task functions that the tests of the launcher run in worker processes."""

import multiprocessing as mp
import os
import resource
import signal
import subprocess
import threading
from pathlib import Path

from omegaconf import DictConfig


def task(cfg: DictConfig) -> object:
    """Do what ``cfg.do`` says."""
    return globals()[f"_{cfg.do}"](cfg)


def _number(cfg: DictConfig) -> float:
    return float(cfg.x)


def _pid(cfg: DictConfig) -> int:
    return os.getpid()


def _raise(cfg: DictConfig) -> None:
    raise ZeroDivisionError("by zero")


def _prune(cfg: DictConfig) -> None:
    import optuna

    raise optuna.TrialPruned("pruned at epoch 2 with val/loss=0.5")


class TwoWords(RuntimeError):
    """Is pickled, but not unpickled: its constructor takes more than the message."""

    def __init__(self, first: str, second: str) -> None:
        super().__init__(f"{first} {second}")


def _raise_two_words(cfg: DictConfig) -> None:
    raise TwoWords("out of", "range")


def _die(cfg: DictConfig) -> None:
    print("these are my last words", flush=True)
    os.kill(os.getpid(), signal.SIGKILL)


def _exit(cfg: DictConfig) -> None:
    os._exit(7)


def _hang(cfg: DictConfig) -> None:
    threading.Event().wait()


def _unpicklable(cfg: DictConfig) -> object:
    return threading.Lock()


def _environment(cfg: DictConfig) -> dict[str, str | None]:
    return {name: os.environ.get(name) for name in ("OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES")}


class OpensBadly:
    """Is pickled, but raises when it is opened."""

    def __reduce__(self) -> tuple[object, ...]:
        return _refuse, ("out of order",)


class ClosesBadly:
    """Raises when it is pickled."""

    def __reduce__(self) -> tuple[object, ...]:
        return _refuse("out of order")


def _refuse(why: str) -> tuple[object, ...]:
    raise ArithmeticError(why)


def _opens_badly(cfg: DictConfig) -> object:
    return OpensBadly()


def _closes_badly(cfg: DictConfig) -> object:
    return ClosesBadly()


def _fork(cfg: DictConfig) -> float | int:
    """A child comes back with a value of its own, but not before the job that follows lets it."""
    gate = Path(cfg.folder) / "gate"
    os.mkfifo(gate)
    child = os.fork()
    if child == 0:
        gate.read_text()
        return -1.0
    return child


def _open_gate(cfg: DictConfig) -> int:
    """Let the child of the job before come back, and wait for its end: its status."""
    (Path(cfg.folder) / "gate").write_text("open")
    return os.waitstatus_to_exitcode(os.waitpid(-1, 0)[1])


def _have_children(cfg: DictConfig) -> list[int]:
    """One that is forked and one that is another program; both would stay for ever."""
    child = os.fork()
    if child == 0:
        threading.Event().wait()
    return [child, subprocess.Popen(["sleep", "infinity"]).pid]


def _leave_children(cfg: DictConfig) -> None:
    children = map(str, _have_children(cfg))
    (Path(cfg.folder) / "children").write_text(" ".join(children))
    os.kill(os.getpid(), signal.SIGKILL)


def _fit_with_loaders(cfg: DictConfig) -> set[int]:
    """A fit whose data hold a lambda, which no pickle takes; the processes that transformed."""
    import pytorch_lightning as pl
    import torch
    from pytorch_lightning.demos.boring_classes import BoringModel

    class Rows(torch.utils.data.Dataset[torch.Tensor]):
        transform = staticmethod(lambda row: row * 2.0)

        def __len__(self) -> int:
            return 64

        def __getitem__(self, index: int) -> torch.Tensor:
            (Path(cfg.folder) / f"{os.getpid()}.loader").touch()
            return self.transform(torch.ones(32))

    # The threads of torch's operations, of which a forked child has none, are at work before.
    torch.ones(700, 700) @ torch.ones(700, 700)
    loader = torch.utils.data.DataLoader(Rows(), 8, num_workers=2, persistent_workers=True)
    trainer = pl.Trainer(
        accelerator="cpu",
        max_epochs=2,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        limit_val_batches=0,
    )
    trainer.fit(BoringModel(), loader)
    return {int(path.stem) for path in Path(cfg.folder).glob("*.loader")}


def _start_method(cfg: DictConfig) -> str | None:
    return mp.get_start_method(allow_none=True)


def _be_nice(cfg: DictConfig) -> int:
    os.nice(1)
    return os.getpid()


def _spoil(cfg: DictConfig) -> None:
    import torch

    signal.alarm(60)
    signal.signal(signal.SIGUSR1, lambda *_: None)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2})
    os.umask(0o777)
    mp.set_start_method("forkserver", force=True)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
    os.environ["LEAKED"] = "1"
    os.chdir("/")
    torch.set_num_threads(3)
    torch.set_default_dtype(torch.float64)
    torch.use_deterministic_algorithms(True)
    torch.nn.modules.module.register_module_forward_hook(lambda *a: None)


def _state(cfg: DictConfig) -> tuple[object, ...]:
    import torch

    umask = os.umask(0o077)
    os.umask(umask)
    return (
        os.environ.get("LEAKED"),
        os.getcwd(),
        signal.getitimer(signal.ITIMER_REAL),
        signal.getsignal(signal.SIGUSR1),
        signal.pthread_sigmask(signal.SIG_BLOCK, ()),
        umask,
        mp.get_start_method(allow_none=True),
        resource.getrlimit(resource.RLIMIT_NOFILE),
        torch.get_num_threads(),
        str(torch.get_default_dtype()),
        torch.are_deterministic_algorithms_enabled(),
        len(torch.nn.modules.module._global_forward_hooks),
    )
