"""The jobs that a study consists of; each is one Hydra job, so every launcher can run it."""

import subprocess
from pathlib import Path
from typing import Any

import optuna
import torch
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from lightning_hpo.errors import UserError
from lightning_hpo.final import run_fold, run_refit
from lightning_hpo.instantiate import make
from lightning_hpo.preflight import run_preflight
from lightning_hpo.study import attach_trial
from lightning_hpo.sweep.outcome import versions
from lightning_hpo.sweep.replay import ReplayPruner
from lightning_hpo.trial import JobContext, run_trial

CONFIG_FILE = "config.yaml"
PROVENANCE_FILE = "provenance.yaml"
_JOBS = ("trial", "preflight", "fold", "refit")


def run(cfg: DictConfig) -> Any:
    """Run the job that ``cfg.study.job`` names; its folder holds what is needed to run it again."""
    hydra = HydraConfig.get()
    context = JobContext(Path(hydra.runtime.output_dir), _searched(hydra))
    if cfg.study.job == "preflight":
        return run_preflight(cfg)
    _record(cfg, context.folder)
    if cfg.study.job == "trial":
        return run_trial(cfg, context, _live_trial(cfg))
    if cfg.study.job == "fold":
        return run_fold(cfg, context)
    if cfg.study.job == "refit":
        return run_refit(cfg, context)
    raise UserError(f"study.job must be one of {_JOBS}, got {cfg.study.job!r}.")


def _live_trial(cfg: DictConfig) -> optuna.trial.Trial | None:
    if cfg.study.trial_number is None:
        return None
    return attach_trial(
        cfg.study.storage,
        Path(cfg.study.dir),
        study_name=cfg.study.name,
        number=cfg.study.trial_number,
        pruner=ReplayPruner(cfg.study.replay) if cfg.study.replay else make(cfg.pruner),
    )


def _record(cfg: DictConfig, folder: Path) -> None:
    """The resolved configuration, and what else decides the result."""
    resolved: Any = OmegaConf.to_container(cfg, resolve=True)
    # It may hold a password, and a trial that is run again needs no storage.
    resolved["study"]["storage"] = None
    OmegaConf.save(OmegaConf.create(resolved), folder / CONFIG_FILE)
    provenance = {
        "threads": torch.get_num_threads(),
        "versions": versions(),
        "git_commit": _git_commit(),
    }
    OmegaConf.save(OmegaConf.create(provenance), folder / PROVENANCE_FILE)


def _git_commit() -> str | None:
    """The commit of the working directory, which holds the user's own code; None outside git."""
    try:
        found = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=40"],
            capture_output=True,
            text=True,
            timeout=5,
        )
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return None
    return found.stdout.strip() or None


def _searched(hydra: Any) -> dict[str, Any]:
    names = set(hydra.sweeper.get("params") or {})
    pairs = [override.split("=", 1) for override in hydra.overrides.task if "=" in override]
    return {name: _number(value) for name, value in pairs if name in names}


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text
