"""The final job: from the best parameters to an evaluated, explained model.

One job for each fold of the cross-validation, then one that refits on all training data and opens
the test set, once. Each leaves its result as JSON in ``final/``.
"""

import json
import time
from dataclasses import asdict
from pathlib import Path
from statistics import fmean
from typing import Any

import pytorch_lightning as pl
from omegaconf import DictConfig

from lightning_hpo import build
from lightning_hpo.callbacks.records import FoldIndices
from lightning_hpo.explain import explain
from lightning_hpo.sweep.sampling import derive_seed
from lightning_hpo.sweep.writing import write_json
from lightning_hpo.trial import JobContext, fit

RESULT_FILE = "result.json"


def run_fold(cfg: DictConfig, context: JobContext) -> dict[str, Any]:
    """Fit fold ``study.fold`` with the best parameters; its metrics at the best epoch."""
    fold = int(cfg.study.fold)
    indices = FoldIndices(context.folder / "fold_indices.npz")
    seed = derive_seed(cfg.seed, "fold", fold)
    result = fit(cfg, build.final_split(cfg, fold), seed, context, [indices])
    return _write(context.folder, {"fold": fold, **asdict(result)})


def run_refit(cfg: DictConfig, context: JobContext) -> dict[str, Any]:
    """Train on all training data, test once, save the checkpoint, draw the figures."""
    final_dir = context.folder.parent
    started_s = time.monotonic()
    pl.seed_everything(derive_seed(cfg.seed, "refit"), verbose=False)
    data = build.data_module(cfg, build.final_split(cfg, None))
    module = build.module(cfg, data)
    epochs = _refit_epochs(cfg, final_dir)
    observers = build.callbacks(cfg, with_validation=False)
    trainer = build.trainer(cfg, context.folder, observers, max_epochs=epochs, limit_val_batches=0)
    trainer.fit(module, datamodule=data)
    (test,) = trainer.test(module, datamodule=data, verbose=False)
    # Ranks of their own opened the test data there, not here.
    data.setup("test")
    trainer.save_checkpoint(final_dir / "model.ckpt", weights_only=True)
    explain(module, data, final_dir, trainer.loggers)
    seconds = time.monotonic() - started_s
    return _write(context.folder, {"epochs": epochs, "test": test, "seconds": seconds})


def fold_results(final_dir: Path) -> list[dict[str, Any]]:
    """The results of the folds that are done, in their order."""
    found = [json.loads(p.read_text()) for p in final_dir.glob(f"fold_*/{RESULT_FILE}")]
    return sorted(found, key=lambda result: result["fold"])


def _refit_epochs(cfg: DictConfig, final_dir: Path) -> int:
    # Without a validation split the refit cannot stop by itself: it takes the folds' advice.
    folds = fold_results(final_dir) if cfg.cv.final else []
    if not folds:
        return int(cfg.trainer.max_epochs)
    return max(1, round(fmean(result["best_epoch"] + 1 for result in folds)))


def _write(folder: Path, result: dict[str, Any]) -> dict[str, Any]:
    write_json(folder / RESULT_FILE, result)
    return result
