"""The real command line with an objective that needs no torch and misbehaves on demand.

Everything is the program's own (entry, configuration, sweeper, workers, storage), only the task is
replaced: ``python faulty_app.py --config-dir conf +experiment=faulty 'acts={3: raise}'``.
"""

import math
import os
import signal
import sys
import threading
import uuid
from pathlib import Path

import optuna
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from lightning_hpo import entry
from lightning_hpo.instantiate import make
from lightning_hpo.messages import Facts
from lightning_hpo.storage.study import attach_trial


def task(cfg: DictConfig) -> Facts | float:
    """Report some values of ``x`` and return it, or do what ``acts`` says for this trial number."""
    if cfg.study.job == "preflight":
        return Facts("none", None, None, "cpu")
    folder = Path(HydraConfig.get().runtime.output_dir)
    # One file for each job that ever wrote into this folder.
    (folder / f"{uuid.uuid4().hex}.job").write_text(str(os.getpid()))
    act = (cfg.acts or {}).get(cfg.study.trial_number, "pass")
    return _ACTS[act](cfg, folder)


def _pass(cfg: DictConfig, folder: Path) -> float:
    threading.Event().wait(cfg.seconds)
    return float(cfg.x)


def _prune(cfg: DictConfig, folder: Path) -> float:
    trial = _live(cfg)
    for step in range(3):
        trial.report(cfg.x + step, step)
    raise optuna.TrialPruned("pruned at step 2")


def _report(cfg: DictConfig, folder: Path) -> float:
    trial = _live(cfg)
    for step in range(3):
        trial.report(cfg.x, step)
        if trial.should_prune():
            raise optuna.TrialPruned(f"pruned at step {step}")
    return float(cfg.x)


def _nan(cfg: DictConfig, folder: Path) -> float:
    return math.nan


def _raise(cfg: DictConfig, folder: Path) -> float:
    raise ZeroDivisionError("by zero")


def _die(cfg: DictConfig, folder: Path) -> float:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("a killed process goes no further")


def _wait(cfg: DictConfig, folder: Path) -> float:
    # The file tells the test whom it may kill; the test ends this process.
    (folder / "waiting").write_text(str(os.getpid()))
    threading.Event().wait()
    raise AssertionError("nobody sets this event")


def _linger(cfg: DictConfig, folder: Path) -> float:
    # Until the test takes the file away.
    (folder / "waiting").write_text(str(os.getpid()))
    while (folder / "waiting").exists():
        threading.Event().wait(0.02)
    return float(cfg.x)


def _fork(cfg: DictConfig, folder: Path) -> float:
    """A child comes back too, with a value of its own, while the next trial runs."""
    if os.fork() == 0:
        following = folder.parent / str(cfg.study.trial_number + 1)
        while not list(following.glob("*.job")):
            threading.Event().wait(0.01)
        return 1e6
    return float(cfg.x)


class _OddNumber:
    def __float__(self) -> float:
        raise ArithmeticError("no float")

    def __repr__(self) -> str:
        raise RuntimeError("no repr")


class _OpensBadly:
    def __reduce__(self) -> tuple[object, ...]:
        return _open_badly, ()


def _open_badly() -> None:
    raise ArithmeticError("out of order")


class _OddError(Exception):
    def __init__(self, where: str, what: str) -> None:
        super().__init__(where)

    def __str__(self) -> str:
        raise RuntimeError("no str")


def _raise_oddly(cfg: DictConfig, folder: Path) -> float:
    raise _OddError("here", "this")


_ACTS = {
    "fork": _fork,
    "huge": lambda cfg, folder: 10**400,
    "odd_number": lambda cfg, folder: _OddNumber(),
    "opens_badly": lambda cfg, folder: _OpensBadly(),
    "raise_oddly": _raise_oddly,
    "pass": _pass,
    "prune": _prune,
    "report": _report,
    "not_a_number": _nan,
    "raise": _raise,
    "die": _die,
    "wait": _wait,
    "linger": _linger,
}


def _live(cfg: DictConfig) -> optuna.trial.Trial:
    return attach_trial(
        cfg.study.storage,
        Path(cfg.study.dir),
        study_name=cfg.study.name,
        number=cfg.study.trial_number,
        pruner=make(cfg.pruner),
    )


if __name__ == "__main__":
    entry.task = task
    sys.exit(entry.main())
