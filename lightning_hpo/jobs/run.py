"""The jobs that a study consists of; each is one Hydra job, so every launcher can run it."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import optuna
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from optuna.pruners import BasePruner

from lightning_hpo.composition.instantiate import make
from lightning_hpo.composition.paths import anchored
from lightning_hpo.errors import UserError
from lightning_hpo.fitting.boundary import exits_as_failures
from lightning_hpo.fitting.provenance import recorded
from lightning_hpo.jobs.ensemble import run_ensemble
from lightning_hpo.jobs.final import run_fold, run_holdout, run_refit
from lightning_hpo.jobs.hparams import with_row
from lightning_hpo.jobs.preflight import run_preflight
from lightning_hpo.jobs.race import run_race
from lightning_hpo.jobs.showcase import run_showcase
from lightning_hpo.jobs.stacked_trial import StackedTrial
from lightning_hpo.jobs.trial import run_trial
from lightning_hpo.machine.denormals import denormals_as_zero
from lightning_hpo.protocol.folder import FinalFolder
from lightning_hpo.protocol.messages import JobContext
from lightning_hpo.storage.study import attach_trial
from lightning_hpo.strategies.replay import ReplayPruner

# The jobs of the final job's parts that record their configuration; see protocol/parts.py.
_OF_PARTS: Mapping[str, Callable[[DictConfig, JobContext], Any]] = {
    "fold": run_fold,
    "holdout": run_holdout,
    "refit": run_refit,
    "ensemble": run_ensemble,
}
# Those that validate tell trackers what was searched, and the objective.
_VALIDATE = ("fold", "holdout")
_JOBS = ("trial", "preflight", "race", "showcase", *_OF_PARTS)


@denormals_as_zero()
@exits_as_failures()
def run(cfg: DictConfig) -> Any:
    """Run the job that ``cfg.study.job`` names; its folder holds what is needed to run it again."""
    cfg, context = _from_launch_folder(cfg), _context()
    if cfg.study.job == "preflight":
        return run_preflight(cfg, context)
    if cfg.study.job == "showcase":
        # Of the trial that it fits it records the configuration itself.
        return run_showcase(cfg, context)
    with recorded(cfg, context.folder):
        return _run_recorded(cfg, context)


def _run_recorded(cfg: DictConfig, context: JobContext) -> Any:
    if cfg.study.job == "trial":
        live = _live_trial(cfg)
        context = _with_params(context, live)
        return with_row(cfg, context, live, partial(run_trial, cfg, context, live))
    if cfg.study.job == "race":
        return run_race(cfg, _with_params(context, _trial(cfg, cfg.study.trial_number, None)))
    if cfg.study.job not in _OF_PARTS:
        raise UserError(f"study.job must be one of {_JOBS}, got {cfg.study.job!r}.")
    if cfg.study.job in _VALIDATE:
        context = _with_params(context, _chosen_trial(cfg, context.folder.parent))
    return _OF_PARTS[cfg.study.job](cfg, context)


def prepare(cfg: DictConfig) -> StackedTrial:
    """Do all of a trial's job but its training, which it shares with other trials."""
    cfg, context = _from_launch_folder(cfg), _context()
    with recorded(cfg, context.folder):
        origin, live = cfg.study.trial_number or 0, _live_trial(cfg)
        return StackedTrial(cfg, _with_params(context, live), live, origin=origin)


def _from_launch_folder(cfg: DictConfig) -> DictConfig:
    """``cfg`` with paths of what is read, should the job run in a folder of its own."""
    launched_in = Path(HydraConfig.get().runtime.cwd)
    if Path.cwd() == launched_in:
        return cfg
    plain: Any = OmegaConf.to_container(cfg, resolve=True)
    read = {
        group: anchored(plain[group], launched_in, by_key=group == "data")
        for group in ("data", "model")
        if plain.get(group) is not None
    }
    copy = cfg.copy()
    for group, values in read.items():
        OmegaConf.update(copy, group, values, merge=False)
    return copy


def _context() -> JobContext:
    return JobContext(Path(HydraConfig.get().runtime.output_dir))


def _with_params(context: JobContext, trial: optuna.trial.Trial | None) -> JobContext:
    # From the study, where they have their types: an override is text.
    return context if trial is None else replace(context, searched=dict(trial.params))


def _live_trial(cfg: DictConfig) -> optuna.trial.Trial | None:
    if cfg.study.trial_number is None:
        return None
    pruner = ReplayPruner(cfg.study.replay) if cfg.study.replay else make(cfg.pruner)
    return _trial(cfg, cfg.study.trial_number, pruner)


def _chosen_trial(cfg: DictConfig, final_dir: Path) -> optuna.trial.Trial | None:
    """The trial whose parameters the final job has; None where nothing was searched."""
    number = json.loads(FinalFolder(final_dir).trial.read_text())
    return None if number is None else _trial(cfg, number, pruner=None)


def _trial(cfg: DictConfig, number: int, pruner: BasePruner | None) -> optuna.trial.Trial:
    study_dir, name = Path(cfg.study.dir), cfg.study.name
    return attach_trial(cfg.study.storage, study_dir, study_name=name, number=number, pruner=pruner)
