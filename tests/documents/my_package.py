"""What the documents call a reader's own package: classes that know nothing of us."""

import pytorch_lightning as pl
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class Digits(pl.LightningDataModule):
    """The digits as rows of 64 numbers; every fifth one is for the test."""

    def __init__(self, batch_size: int = 64, num_workers: int = 0) -> None:
        super().__init__()
        self.options = {"batch_size": batch_size, "num_workers": num_workers}

    def setup(self, stage: str) -> None:
        x, y = load_digits(return_X_y=True)
        samples = TensorDataset(torch.from_numpy(x).float() / 16, torch.from_numpy(y))
        rows = torch.arange(len(samples))
        self.train_set = torch.utils.data.Subset(samples, rows[rows % 5 > 1].tolist())
        self.val_set = torch.utils.data.Subset(samples, rows[rows % 5 == 1].tolist())
        self.test_set = torch.utils.data.Subset(samples, rows[rows % 5 == 0].tolist())

    def train_dataloader(self) -> DataLoader:
        return DataLoader(self.train_set, shuffle=True, **self.options)

    def val_dataloader(self) -> DataLoader:
        return DataLoader(self.val_set, **self.options)

    def test_dataloader(self) -> DataLoader:
        return DataLoader(self.test_set, **self.options)


class Net(pl.LightningModule):
    """One hidden layer."""

    def __init__(self, width: int = 64, lr: float = 1e-3) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.layers = nn.Sequential(nn.Linear(64, width), nn.ReLU(), nn.Linear(width, 10))
        self.lr = lr

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)

    def training_step(self, batch: tuple[Tensor, Tensor], index: int) -> Tensor:
        return self._step(batch, "train")

    def validation_step(self, batch: tuple[Tensor, Tensor], index: int) -> None:
        self._step(batch, "val")

    def test_step(self, batch: tuple[Tensor, Tensor], index: int) -> None:
        self._step(batch, "test")

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=self.lr)

    def _step(self, batch: tuple[Tensor, Tensor], stage: str) -> Tensor:
        x, y = batch
        logits = self(x)
        loss = nn.functional.cross_entropy(logits, y)
        hits = (logits.argmax(1) == y).float().mean()
        self.log_dict({f"{stage}/loss": loss, f"{stage}/accuracy": hits}, on_epoch=True)
        return loss


MyModule, MyDataModule = Net, Digits
