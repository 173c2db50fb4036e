"""The real command line with an objective that needs no torch, started once for each "machine".

Everything is the program's own (entry, configuration, sweeper, workers, storage); only the task is
replaced.
"""

import json
import os
import signal
import socket
import sys
import threading
import uuid
from pathlib import Path

import optuna
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from lightning_hpo import entry
from lightning_hpo.composition.instantiate import make
from lightning_hpo.protocol.messages import Facts
from lightning_hpo.storage.study import attach_trial


def task(cfg: DictConfig) -> Facts | float | None:
    """Leave a file for each job that ran, then do what ``acts`` says for this trial."""
    if cfg.study.job == "preflight":
        return Facts("none", None, None, "cpu")
    folder = Path(HydraConfig.get().runtime.output_dir)
    (folder / f"{uuid.uuid4().hex}.job").touch()
    if cfg.study.job == "refit":
        result = {"epochs": 1, "test": {"test/x": cfg.x}, "seconds": 0.0}
        (folder / "result.json").write_text(json.dumps(result))
        return None
    return _act(cfg, folder)


def _act(cfg: DictConfig, folder: Path) -> float:
    act = (cfg.acts or {}).get(cfg.study.trial_number)
    if act == "wait":
        # The file tells the test that it may go on; the test ends this process.
        (folder / "waiting").touch()
        threading.Event().wait()
    if act == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if act == "report":
        _report(cfg)
    if act == "blab":
        raise RuntimeError(f"no answer from {cfg.study.storage}, noted {cfg.get('note')}")
    return float(cfg.x)


def _report(cfg: DictConfig) -> None:
    trial = attach_trial(
        cfg.study.storage,
        Path(cfg.study.dir),
        study_name=cfg.study.name,
        number=cfg.study.trial_number,
        pruner=make(cfg.pruner),
    )
    for step in range(3):
        trial.report(cfg.x, step)
        if trial.should_prune():
            raise optuna.TrialPruned(f"pruned at step {step}")


if __name__ == "__main__":
    entry.task = task
    # As on a machine of its own: whether others live is not to be told by locks on files.
    socket.gethostname = lambda: os.environ["MACHINE"]
    sys.exit(entry.main())
