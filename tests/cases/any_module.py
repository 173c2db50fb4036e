"""Modules as people write them, one for each thing that Lightning accepts."""

from collections.abc import Callable
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import ReduceLROnPlateau, StepLR


def network() -> nn.Sequential:
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.ReLU(), nn.Linear(8, 10))


class Trains(pl.LightningModule):
    """Without a validation_step and a test_step: all that it tells is its training's loss."""

    def __init__(self, lr: float = 0.1) -> None:
        super().__init__()
        self.lr, self.net = lr, network()

    def loss(self, batch: Any) -> Tensor:
        return nn.functional.cross_entropy(self.net(batch[0]), batch[1])

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        loss = self.loss(batch)
        self.log("train/loss", loss, on_step=False, on_epoch=True)
        return loss

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=self.lr)


class TrainsAndTells(Trains):
    """Logs its training by itself, when an epoch ends."""

    def on_train_epoch_start(self) -> None:
        self.losses: list[Tensor] = []

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        loss = self.loss(batch)
        self.losses.append(loss.detach())
        return loss

    def on_train_epoch_end(self) -> None:
        self.log("epoch_loss", torch.stack(self.losses).mean())


class Validates(Trains):
    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.log("val/loss", self.loss(batch))

    def test_step(self, batch: Any, batch_idx: int) -> None:
        self.log("test/loss", self.loss(batch))


class ByHand(Validates):
    """Manual optimization with two optimizers and a schedule that it steps itself."""

    def __init__(self, lr: float = 0.1) -> None:
        super().__init__(lr)
        self.automatic_optimization = False

    def training_step(self, batch: Any, batch_idx: int) -> None:
        loss = self.loss(batch)
        for optimizer in self.optimizers():
            optimizer.zero_grad()
        self.manual_backward(loss)
        for optimizer in self.optimizers():
            optimizer.step()
        self.log("train/loss", loss)

    def on_train_epoch_end(self) -> None:
        self.lr_schedulers().step()

    def configure_optimizers(self) -> Any:
        first = torch.optim.SGD(self.net[1].parameters(), lr=self.lr)
        second = torch.optim.Adam(self.net[3].parameters(), lr=0.01)
        return [first, second], [StepLR(first, 1)]


class Plateau(Validates):
    def configure_optimizers(self) -> Any:
        optimizer = super().configure_optimizers()
        how = {"scheduler": ReduceLROnPlateau(optimizer, patience=0), "monitor": "val/loss"}
        return {"optimizer": optimizer, "lr_scheduler": how}


class ByStepAndEpoch(Validates):
    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.log("val/loss", self.loss(batch), on_step=True, on_epoch=True)


class EverySecond(Validates):
    def validation_step(self, batch: Any, batch_idx: int) -> None:
        if self.current_epoch % 2 == 1:
            super().validation_step(batch, batch_idx)


class Compiled(Validates):
    """Compiled without a compiler: the wrapper is what matters to whoever looks at the network."""

    def __init__(self, lr: float = 0.1) -> None:
        super().__init__(lr)
        self.net = torch.compile(self.net, backend="eager")


class KeepsItsHyperparameters(Validates):
    """The way of a template that many start from: it takes its optimizer from its hparams."""

    def __init__(
        self,
        optimizer: Callable[..., torch.optim.Optimizer],
        scheduler: Callable[..., StepLR] | None = None,
        width: int = 8,
    ) -> None:
        super().__init__()
        self.save_hyperparameters(logger=False)

    def configure_optimizers(self) -> Any:
        optimizer = self.hparams["optimizer"](params=self.parameters())
        return [optimizer], [self.hparams["scheduler"](optimizer=optimizer)]
