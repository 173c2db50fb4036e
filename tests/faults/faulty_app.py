"""The real command line with an objective that needs no torch and misbehaves on demand.

Everything is the program's own (entry, configuration, sweeper, workers, storage), only the task is
replaced: ``python faulty_app.py --config-dir conf +experiment=faulty 'acts={3: raise}'``.
"""

import base64
import math
import os
import signal
import sys
import threading
import uuid
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from lightning_hpo import entry
from lightning_hpo.composition.instantiate import make
from lightning_hpo.protocol.files import write_json
from lightning_hpo.protocol.messages import Facts
from lightning_hpo.storage.study import attach_trial

# One black point.
_PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="
)


def task(cfg: DictConfig) -> Facts | float | dict[str, Any]:
    """Report some values of ``x`` and return it, or do what ``acts`` says for this trial number."""
    if cfg.study.job == "preflight":
        return Facts("none", None, None, "cpu")
    folder = Path(HydraConfig.get().runtime.output_dir)
    if cfg.study.job != "trial":
        return final_job(cfg, folder)
    # One file for each job that ever wrote into this folder.
    (folder / f"{uuid.uuid4().hex}.job").write_text(str(os.getpid()))
    act = (cfg.acts or {}).get(cfg.study.trial_number, "pass")
    return _ACTS[act](cfg, folder)


def final_job(cfg: DictConfig, folder: Path) -> dict[str, Any]:
    """Leave what a fold or a refit leaves, as far as studies and reports read it."""
    if (cfg.acts or {}).get(folder.name) == "linger":
        _linger(cfg, folder)
    threading.Event().wait(cfg.seconds)
    found: dict[str, Any] = {"epochs": 2, "seconds": 0.1}
    (folder / "metrics.csv").write_text("epoch,step,train/x\n0,1,0.75\n1,2,0.5\n")
    if cfg.study.job == "fold":
        fold = int(cfg.study.fold)
        np.savez(folder / "fold_indices.npz", val=np.arange(fold, fold + 5))
        metrics = {"val/x": 0.25 + fold / 8}
        found |= {"fold": fold, "best_epoch": 1, "value": metrics["val/x"], "metrics": metrics}
    else:
        found |= {"seed": 0, "test": {"test/x": 0.5}}
        with zipfile.ZipFile(folder.parent / "model.ckpt", "w") as checkpoint:
            checkpoint.writestr("weights", bytes(1000))
        (folder.parent / "figures").mkdir(exist_ok=True)
        (folder.parent / "figures" / "fit.png").write_bytes(_PNG)
    write_json(folder / "result.json", found)
    return found


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
