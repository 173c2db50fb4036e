"""Made-up data whose samples are known by number, and a module that notes which it saw."""

from typing import Any

import numpy as np
import torch
from quiet import quiet_trainer
from torch import Generator, Tensor

from lightning_hpo.data.base import Arrays, TensorDataModule
from lightning_hpo.flavour import pl

N = 40


class Made(TensorDataModule):
    """Sample i is an image of the byte i (training) or 100 + i (test); its label is i % 2."""

    name = "made"
    n_loads = 0

    def load(self) -> Arrays:
        self.n_loads += 1
        train, test = np.arange(N, dtype=np.uint8), np.arange(100, 110, dtype=np.uint8)

        def images(values: np.ndarray) -> np.ndarray:
            return np.broadcast_to(values[:, None, None, None], (len(values), 1, 4, 4)).copy()

        return Arrays(images(train), train % 2, images(test), test % 2, ("even", "odd"))


class Recorder(pl.LightningModule):
    """Trains one weight; keeps which samples each training epoch saw, in which order."""

    def __init__(self, data: Made) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)
        self.data = data
        self.epochs: list[list[int]] = []
        self.devices: set[str] = set()

    def on_train_epoch_start(self) -> None:
        self.epochs.append([])

    def training_step(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        x, _ = batch
        assert self.data.mean is not None and self.data.std is not None
        values = x[:, 0, 0, 0] * self.data.std + self.data.mean
        self.epochs[-1] += values.round().int().tolist()
        return self.layer(x.mean((1, 2, 3))[:, None]).mean()

    def validation_step(self, batch: tuple[Tensor, Tensor]) -> None:
        self.log("val/loss", batch[0].mean())

    def test_step(self, batch: tuple[Tensor, Tensor]) -> None:
        self.log("test/loss", batch[0].mean())

    def predict_step(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        return batch[1]

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), 0.1)


def trainer(max_epochs: int = 3, **options: Any) -> pl.Trainer:
    return quiet_trainer(
        max_epochs=max_epochs,
        **options,
    )


def ready(stage: str = "fit", **options: Any) -> Made:
    data = Made(**options)
    data.setup(stage)
    return data


def negate(x: Tensor, generator: Generator) -> Tensor:
    return -x


def everything(loader: Any) -> Tensor:
    return torch.cat([x for x, _ in loader])
