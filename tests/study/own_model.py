"""A user's own module and data module: plain Lightning, with nothing of ours in it."""

import pytorch_lightning as pl
import torch
from sklearn.datasets import load_diabetes
from torch.utils.data import DataLoader, TensorDataset


class Linear(pl.LightningModule):
    """Linear regression with a learning rate of its own."""

    def __init__(self, lr: float = 0.1) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.layer = torch.nn.Linear(10, 1)

    def training_step(self, batch, batch_idx):
        x, y = batch
        return torch.nn.functional.mse_loss(self.layer(x), y)

    def validation_step(self, batch, batch_idx):
        self.log("val/mse", self.training_step(batch, batch_idx))

    def test_step(self, batch, batch_idx):
        self.log("test/mse", self.training_step(batch, batch_idx))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=self.hparams.lr)


class Diabetes(pl.LightningDataModule):
    """scikit-learn's diabetes data, the last 100 samples for validation and test."""

    def __init__(self, batch_size: int = 64) -> None:
        super().__init__()
        self.batch_size = batch_size

    def setup(self, stage=None):
        x, y = (torch.tensor(a, dtype=torch.float32) for a in load_diabetes(return_X_y=True))
        y = ((y - y.mean()) / y.std())[:, None]
        self.train = TensorDataset(x[:-100], y[:-100])
        self.held_out = TensorDataset(x[-100:], y[-100:])

    def train_dataloader(self):
        return DataLoader(self.train, batch_size=self.batch_size)

    def val_dataloader(self):
        return DataLoader(self.held_out, batch_size=100)

    def test_dataloader(self):
        return DataLoader(self.held_out, batch_size=100)
