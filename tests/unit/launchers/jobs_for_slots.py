"""Task functions that the tests of the launcher run in worker processes."""

import os
import signal
import threading

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


def _spoil(cfg: DictConfig) -> None:
    import torch

    os.environ["LEAKED"] = "1"
    os.chdir("/")
    torch.set_num_threads(3)
    torch.set_default_dtype(torch.float64)
    torch.use_deterministic_algorithms(True)
    torch.nn.modules.module.register_module_forward_hook(lambda *a: None)


def _state(cfg: DictConfig) -> tuple[object, ...]:
    import torch

    return (
        os.environ.get("LEAKED"),
        os.getcwd(),
        torch.get_num_threads(),
        str(torch.get_default_dtype()),
        torch.are_deterministic_algorithms_enabled(),
        len(torch.nn.modules.module._global_forward_hooks),
    )
