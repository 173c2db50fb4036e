"""Fits of a small network on a few digits, and what their loggers and figures hold."""

from pathlib import Path

import torch
from quiet import quiet_trainer
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from lightning_hpo.data.digits import DigitsDataModule
from lightning_hpo.flavour import pl
from lightning_hpo.models.cnn import CNNClassifier


def cnn() -> CNNClassifier:
    torch.manual_seed(0)
    return CNNClassifier(
        input_shape=(1, 8, 8), filters_1=2, filters_2=3, neurons_1=4, neurons_2=4, dropout=0.5
    )


def digits(**options) -> DigitsDataModule:
    return DigitsDataModule(train_limit=200, **options)


def fit(
    folder: Path,
    *callbacks: pl.Callback,
    module: pl.LightningModule | None = None,
    data=None,
    epochs: int = 2,
    **options,
) -> pl.LightningModule:
    module = module or cnn()
    trainer = quiet_trainer(
        max_epochs=epochs,
        callbacks=list(callbacks),
        logger=[
            pl.loggers.TensorBoardLogger(folder, name="", version="", default_hp_metric=False),
            pl.loggers.CSVLogger(folder, name="", version=""),
        ],
        log_every_n_steps=1,
        num_sanity_val_steps=1,
        **options,
    )
    trainer.fit(module, datamodule=data or digits())
    return module


def events(folder: Path) -> EventAccumulator:
    return EventAccumulator(str(folder), size_guidance={"histograms": 0, "images": 0}).Reload()


def pictures(folder: Path) -> set[str]:
    return {path.stem for path in (folder / "figures").glob("*.png")}
