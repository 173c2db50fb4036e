"""A user's module and data module by the other name of Lightning: ``import lightning as L``."""

import lightning as L
import torch
from torch.utils.data import DataLoader, TensorDataset


class Slope(L.LightningModule):
    """One weight, which should become 2."""

    def __init__(self, lr: float = 0.1) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.layer = torch.nn.Linear(1, 1, bias=False)

    def forward(self, x):
        return self.layer(x)

    def training_step(self, batch, batch_idx):
        return torch.nn.functional.mse_loss(self(batch[0]), batch[1])

    def validation_step(self, batch, batch_idx):
        self.log("val/loss", self.training_step(batch, batch_idx))

    def test_step(self, batch, batch_idx):
        self.log("test/loss", self.training_step(batch, batch_idx))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=self.hparams.lr)


class Line(L.LightningDataModule):
    """Sixteen points of y = 2 x."""

    def train_dataloader(self):
        x = torch.linspace(-1, 1, 16)[:, None]
        return DataLoader(TensorDataset(x, 2 * x), batch_size=4)

    val_dataloader = test_dataloader = train_dataloader
