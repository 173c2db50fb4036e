"""Fits on a few digits whose minibatches are counted by hand."""

from typing import Any

import torch
from quiet import quiet_trainer
from torch import Generator, Tensor

from lightning_hpo.data.digits import DigitsDataModule
from lightning_hpo.data.folds import Split
from lightning_hpo.flavour import pl

KEYS = ("train/loss", "train/accuracy", "val/loss", "val/accuracy")


def add_noise(x: Tensor, generator: Generator) -> Tensor:
    return x + torch.randn(x.shape, generator=generator, device=x.device)


def trainer(**options: Any) -> pl.Trainer:
    defaults: dict[str, Any] = {"max_epochs": 2, "num_sanity_val_steps": 0}
    return quiet_trainer(**(defaults | options))


def digits() -> DigitsDataModule:
    """300 images: 270 to train in 9 batches, the last of 14."""
    return DigitsDataModule(
        batch_size=32, train_limit=300, augment=add_noise, split=Split(val_fraction=0.1)
    )
