"""What a fit leaves behind besides its metrics: hyperparameters for TensorBoard, fold indices."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
from pytorch_lightning.loggers import TensorBoardLogger

from lightning_hpo.callbacks.reporting import BestEpoch


class HyperparameterSummary(pl.Callback):
    """Fills TensorBoard's HParams tab: what was searched, with the objective; also when pruned."""

    def __init__(self, params: Mapping[str, Any], best: BestEpoch) -> None:
        self.params = dict(params)
        self.best = best

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._log(trainer)

    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        self._log(trainer)

    def _log(self, trainer: pl.Trainer) -> None:
        if self.best.value is None:
            return
        for logger in trainer.loggers:
            if isinstance(logger, TensorBoardLogger):
                logger.log_hyperparams(self.params, {"objective": self.best.value})


class FoldIndices(pl.Callback):
    """Saves the samples of a fit as the arrays ``train`` and ``val`` of an ``npz`` file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not trainer.is_global_zero:
            return
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        np.savez_compressed(
            self.path,
            train=data.train_indices.cpu().numpy(),
            val=data.val_indices.cpu().numpy(),
        )
