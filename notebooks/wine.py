"""A user's own module and data module, for 05_your_own_model_and_data.ipynb."""

from collections.abc import Callable, Iterable, Sequence

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from sklearn.datasets import load_wine
from sklearn.model_selection import train_test_split
from torch import Tensor, nn

from lightning_hpo import Arrays, TensorDataModule


class WineData(TensorDataModule):
    """scikit-learn's wines: 13 measurements of 178 bottles from three cultivars."""

    name = "wine"

    def load(self) -> Arrays:
        wine = load_wine()
        train_x, test_x, train_y, test_y = train_test_split(
            wine.data.astype("float32"),
            wine.target,
            test_size=0.2,
            random_state=0,
            stratify=wine.target,
        )
        return Arrays(train_x, train_y, test_x, test_y, ("barolo", "grignolino", "barbera"))


class WineNet(pl.LightningModule):
    """One hidden layer of ``width`` neurons; a plain LightningModule."""

    def __init__(
        self,
        *,
        input_shape: Sequence[int],
        num_classes: int,
        width: int = 16,
        optimizer: Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer] | None = None,
    ) -> None:
        super().__init__()
        self.save_hyperparameters(ignore="optimizer")
        self.make_optimizer = optimizer or torch.optim.Adam
        self.layers = nn.Sequential(
            nn.Linear(input_shape[0], width), nn.ReLU(), nn.Linear(width, num_classes)
        )

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.layers(x)
        return logits

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        return self._loss(batch, "train")

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        self._loss(batch, "val")

    def test_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        self._loss(batch, "test")

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return self.make_optimizer(self.parameters())

    def _loss(self, batch: tuple[Tensor, Tensor], stage: str) -> Tensor:
        x, y = batch
        logits = self(x)
        loss = F.cross_entropy(logits, y)
        correct = (logits.argmax(1) == y).float().mean()
        metrics = {f"{stage}/loss": loss, f"{stage}/accuracy": correct}
        self.log_dict(metrics, on_step=False, on_epoch=True, batch_size=len(y))
        return loss
