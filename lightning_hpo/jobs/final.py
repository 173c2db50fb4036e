"""The final job: from the best parameters to an evaluated, explained model.

One job for each fold of the cross-validation, one that trains on a part of the data for all epochs
(``cv.final_holdout``), then one for each refit on all training data, which opens the test set once.
Each leaves its result as JSON in ``final/``.
"""

import json
import math
import time
from dataclasses import asdict, replace
from pathlib import Path
from statistics import fmean
from typing import Any

import pytorch_lightning as pl
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.callbacks import EarlyStopping

from lightning_hpo.callbacks.progress import EpochProgress, ProgressFile
from lightning_hpo.callbacks.records import (
    INDICES_FILE,
    BestPredictions,
    FoldIndices,
    LastPredictions,
)
from lightning_hpo.data.folds import Split
from lightning_hpo.explain import explain, layer_weights, read_curves
from lightning_hpo.instantiate import make
from lightning_hpo.jobs import build
from lightning_hpo.jobs.trial import fit
from lightning_hpo.messages import FitResult, JobContext
from lightning_hpo.predictions import PREDICTIONS_FILE
from lightning_hpo.stack.configured import is_stacked
from lightning_hpo.stack.fits import train_alone, train_in_place
from lightning_hpo.stack.records import write_metrics
from lightning_hpo.sweep.sampling import derive_seed
from lightning_hpo.sweep.writing import write_json

RESULT_FILE = "result.json"


def run_fold(cfg: DictConfig, context: JobContext) -> dict[str, Any]:
    """Fit fold ``study.fold`` with the best parameters; its metrics at the best epoch.

    With a schedule at the last one, where the refit ends too (but for ``study.final_epochs``): the
    fold, which judges the network, then chooses no epoch of it.
    """
    fold = int(cfg.study.fold)
    seed = derive_seed(cfg.seed, "fold", fold)
    to_the_end = bool(cfg.get("scheduler"))
    result = _fit_part(cfg, build.final_split(cfg, fold), seed, context, keep_best=not to_the_end)
    if to_the_end:
        last = _last_metrics(context.folder)
        result = replace(result, value=last[cfg.monitor], metrics={**result.metrics, **last})
    found = {"fold": fold, "at_last_epoch": to_the_end, **asdict(result)}
    return _write(context.folder, found)


def run_holdout(cfg: DictConfig, context: JobContext) -> dict[str, Any]:
    """Fit a part of the training data for all epochs; metrics at the best and at the last one."""
    cfg = without_early_stopping(cfg)
    seed = derive_seed(cfg.seed, "holdout")
    result = _fit_part(cfg, build.holdout_split(cfg), seed, context, keep_best=False)
    last = _last_metrics(context.folder)
    found = {"val_fraction": cfg.cv.val_fraction, **asdict(result), "last": last}
    return _write(context.folder, found)


def _last_metrics(folder: Path) -> dict[str, float]:
    """The last value of each metric that a fit logged."""
    curves = read_curves(folder / "metrics.csv")
    finite = {name: [v for v in values if not math.isnan(v)] for name, values in curves.items()}
    return {name: values[-1] for name, values in finite.items() if values}


def _fit_part(
    cfg: DictConfig, split: Split, seed: int, context: JobContext, *, keep_best: bool
) -> FitResult:
    """Fit a part of the data; what is kept of the network is from its best or its last epoch."""
    if is_stacked(cfg):
        file = ProgressFile(context.folder, epochs=cfg.trainer.max_epochs, metric=cfg.monitor)
        return train_alone(cfg, split, seed, context, restore_best=keep_best, report=file.report)
    path = context.folder / PREDICTIONS_FILE
    kept = (
        BestPredictions(path, monitor=cfg.monitor, mode=cfg.mode)
        if keep_best
        else LastPredictions(path)
    )
    told = EpochProgress(context.folder, metric=cfg.monitor)
    return fit(cfg, split, seed, context, [FoldIndices(context.folder / INDICES_FILE), kept, told])


def without_early_stopping(cfg: DictConfig) -> DictConfig:
    """A copy of ``cfg`` without its callbacks that are an ``EarlyStopping``."""
    kept = {
        name: node
        for name, node in (cfg.get("callbacks") or {}).items()
        if node and not isinstance(make(node), EarlyStopping)
    }
    copy = cfg.copy()
    OmegaConf.update(copy, "callbacks", kept, merge=False, force_add=True)
    return copy


def run_refit(cfg: DictConfig, context: JobContext) -> dict[str, Any]:
    """Train on all training data and test once; the first refit is also saved and explained."""
    final_dir = context.folder.parent
    started_s = time.monotonic()
    number = cfg.study.get("refit")
    seed = derive_seed(cfg.seed, "refit", *([] if number is None else [int(number)]))
    pl.seed_everything(seed, verbose=False)
    data = build.data_module(cfg, build.final_split(cfg, None))
    module = build.module(cfg, data)
    untrained = layer_weights(module)
    epochs = _refit_epochs(cfg, final_dir)
    metric = f"train/{cfg.monitor.rpartition('/')[2]}"
    told = EpochProgress(context.folder, metric=metric)
    observers = [told, *build.callbacks(cfg, with_validation=False)]
    trainer = build.trainer(cfg, context.folder, observers, max_epochs=epochs, limit_val_batches=0)
    if is_stacked(cfg):
        file = ProgressFile(context.folder, epochs=epochs, metric=metric)
        losses = train_in_place(cfg, module, data, epochs, report=file.report)
    else:
        trainer.fit(module, datamodule=data)
    (test,) = trainer.test(module, datamodule=data, verbose=False)
    if is_stacked(cfg):
        # After the test, whose logger would write over it.
        write_metrics(context.folder, {"train/loss": losses})
    if number is None:
        # Ranks of their own opened the test data there, not here.
        data.setup("test")
        trainer.save_checkpoint(final_dir / "model.ckpt", weights_only=True)
        explain(module, data, final_dir, trainer.loggers, untrained=untrained)
    seconds = time.monotonic() - started_s
    found = {"seed": seed, "epochs": epochs, "test": test, "seconds": seconds}
    return _write(context.folder, found)


def fold_results(final_dir: Path) -> list[dict[str, Any]]:
    """The results of the folds that are done, in their order."""
    found = [json.loads(p.read_text()) for p in final_dir.glob(f"fold_*/{RESULT_FILE}")]
    return sorted(found, key=lambda result: result["fold"])


def _refit_epochs(cfg: DictConfig, final_dir: Path) -> int:
    asked = cfg.study.get("final_epochs")
    if asked is not None:
        return int(asked)
    # Without a validation split the refit cannot stop by itself: it takes the folds' advice, but
    # for a schedule, whose last epochs, at small rates, are those that count.
    folds = fold_results(final_dir) if cfg.cv.final and not cfg.get("scheduler") else []
    if not folds:
        return int(cfg.trainer.max_epochs)
    return max(1, round(fmean(result["best_epoch"] + 1 for result in folds)))


def _write(folder: Path, result: dict[str, Any]) -> dict[str, Any]:
    write_json(folder / RESULT_FILE, result)
    return result
