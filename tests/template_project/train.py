"""A project in the shape of lightning-hydra-template: everything comes from the configuration.

python train.py                                # one fit
python train.py -m hparams_search=optuna       # a search
"""

import os
from pathlib import Path
from typing import Any

os.environ.setdefault("PROJECT_ROOT", str(Path(__file__).resolve().parent))

import hydra
import lightning as L
from lightning import Callback, LightningDataModule, LightningModule, Trainer
from lightning.pytorch.loggers import Logger
from omegaconf import DictConfig
from src.utils import get_metric_value, instantiate_listed, task_wrapper


@task_wrapper
def train(cfg: DictConfig) -> dict[str, Any]:
    """Fits, and tests the best checkpoint; all metrics."""
    if cfg.get("seed") is not None:
        L.seed_everything(cfg.seed, workers=True, verbose=False)
    datamodule: LightningDataModule = hydra.utils.instantiate(cfg.data)
    model: LightningModule = hydra.utils.instantiate(cfg.model)
    callbacks: list[Callback] = instantiate_listed(cfg.get("callbacks"))
    logger: list[Logger] = instantiate_listed(cfg.get("logger"))
    trainer: Trainer = hydra.utils.instantiate(cfg.trainer, callbacks=callbacks, logger=logger)
    trainer.fit(model=model, datamodule=datamodule, ckpt_path=cfg.get("ckpt_path"))
    metrics = dict(trainer.callback_metrics)
    if cfg.get("test"):
        best = trainer.checkpoint_callback.best_model_path
        trainer.test(model=model, datamodule=datamodule, ckpt_path=best)
        metrics |= trainer.callback_metrics
    return metrics


@hydra.main(config_path="configs", config_name="train.yaml")
def main(cfg: DictConfig) -> float | None:
    """The metric that a search optimises."""
    return get_metric_value(train(cfg), cfg.get("optimized_metric"))


if __name__ == "__main__":
    main()
