"""One trial: one hyperparameter configuration, all its folds, one number."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

import optuna
import pytorch_lightning as pl
from omegaconf import DictConfig

from lightning_hpo import build
from lightning_hpo.callbacks.records import HyperparameterSummary
from lightning_hpo.callbacks.reporting import BestEpoch, FailOnNonFinite, PruningCallback
from lightning_hpo.data.folds import Split
from lightning_hpo.errors import UserError
from lightning_hpo.messages import FitResult, TrialResult
from lightning_hpo.sweep.sampling import derive_seed


@dataclass(frozen=True)
class JobContext:
    """Where a job writes, and which of its parameters were searched."""

    folder: Path
    searched: Mapping[str, Any] = field(default_factory=dict)


def run_trial(
    cfg: DictConfig,
    context: JobContext,
    live: optuna.trial.Trial | None,
    *,
    watchers: Sequence[pl.Callback] = (),
) -> TrialResult:
    """Fit every fold of the search's split and report to the live trial; the test set stays shut.

    Raises :class:`optuna.TrialPruned` when the pruner ends the trial.
    """
    fits: list[FitResult] = []
    for fold in range(n_folds(cfg)):
        seed = derive_seed(cfg.seed, "trial", cfg.study.trial_number or 0, fold)
        observers = [*_reporters(cfg, live, fold), *watchers]
        where = context if n_folds(cfg) == 1 else _of_fold(context, fold)
        fits.append(fit(cfg, build.search_split(cfg, fold), seed, where, observers))
        if live is not None and _by_fold(live):
            _report_fold(live, fits, fold)
    return TrialResult(value=fmean(f.value for f in fits), fits=tuple(fits))


def fit(
    cfg: DictConfig,
    split: Split,
    seed: int,
    context: JobContext,
    observers: Sequence[pl.Callback] = (),
) -> FitResult:
    """Train on one split and return the best validation value of the monitor."""
    # Before anything is instantiated: initialisation and dropout derive from it.
    pl.seed_everything(seed, verbose=False)
    started_s = time.monotonic()
    best = BestEpoch(monitor=cfg.monitor, mode=cfg.mode)
    data = build.data_module(cfg, split)
    module = build.module(cfg, data)
    callbacks = [
        FailOnNonFinite(monitor=cfg.monitor),
        best,
        HyperparameterSummary(context.searched, best),
        *observers,
        *build.callbacks(cfg, with_validation=True),
    ]
    trainer = build.trainer(cfg, context.folder, callbacks)
    trainer.fit(module, datamodule=data)
    if best.value is None or best.epoch is None:
        raise UserError(
            f"monitor '{cfg.monitor}' needs a validation, but none ran in"
            f" trainer.max_epochs={trainer.max_epochs} epochs."
        )
    seconds = time.monotonic() - started_s
    return FitResult(best.value, best.epoch, trainer.current_epoch, best.metrics, seconds)


def n_folds(cfg: DictConfig) -> int:
    """How many fits a trial of the search consists of."""
    if cfg.cv.search not in ("holdout", "kfold"):
        raise UserError(f"cv.search must be 'holdout' or 'kfold', got cv.search={cfg.cv.search}.")
    return int(cfg.cv.n_splits) if cfg.cv.search == "kfold" else 1


def _of_fold(context: JobContext, fold: int) -> JobContext:
    return JobContext(context.folder / f"fold_{fold}", context.searched)


def _reporters(cfg: DictConfig, live: optuna.trial.Trial | None, fold: int) -> list[pl.Callback]:
    if live is None or _by_fold(live):
        return []
    first_step = fold * int(cfg.trainer.max_epochs)
    return [PruningCallback(live, monitor=cfg.monitor, first_step=first_step)]


def _by_fold(live: optuna.trial.Trial) -> bool:
    # The Wilcoxon pruner compares trials on identical folds, so a step is a fold, not an epoch.
    return isinstance(live.study.pruner, optuna.pruners.WilcoxonPruner)


def _report_fold(live: optuna.trial.Trial, fits: Sequence[FitResult], fold: int) -> None:
    live.report(fits[-1].value, step=fold)
    if live.should_prune():
        mean = fmean(f.value for f in fits)
        raise optuna.TrialPruned(f"pruned after fold {fold} with a mean of {mean:.6g}")
