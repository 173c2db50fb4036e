"""A user's own modules and data modules: plain Lightning, with nothing of ours in them."""

import pytorch_lightning as pl
import torch
from sklearn.datasets import load_diabetes, load_digits
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


class Awkward(pl.LightningModule):
    """What a final job once died of: names of its own, a schedule on the validation."""

    def __init__(self, lr: float = 0.1) -> None:
        super().__init__()
        self.lr = lr
        self.layer = torch.nn.Linear(64, 10)

    def forward(self, x):
        return self.layer(x)

    def training_step(self, batch, batch_idx):
        loss = torch.nn.functional.cross_entropy(self(batch[0]), batch[1])
        self.log("MyLoss", loss, on_step=True, on_epoch=True)
        return loss

    def validation_step(self, batch, batch_idx):
        self.log("MyLoss_val", torch.nn.functional.cross_entropy(self(batch[0]), batch[1]))

    def test_step(self, batch, batch_idx, dataloader_idx=0):
        self.log("acc", (self(batch[0]).argmax(1) == batch[1]).double().mean())

    def configure_optimizers(self):
        optimizer = torch.optim.SGD(self.parameters(), lr=self.lr)
        plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=1)
        schedule = {"scheduler": plateau, "monitor": "MyLoss_val"}
        return {"optimizer": optimizer, "lr_scheduler": schedule}


class TwoTestSets(pl.LightningDataModule):
    """Some digits; the number of classes is known, their names are not."""

    num_classes = 10

    def setup(self, stage=None):
        x, y = load_digits(return_X_y=True)
        self.data = TensorDataset(torch.tensor(x, dtype=torch.float32) / 16, torch.tensor(y))

    def part(self, first):
        return DataLoader(torch.utils.data.Subset(self.data, range(first, first + 64)), 16)

    def train_dataloader(self):
        return self.part(0)

    def val_dataloader(self):
        return self.part(64)

    def test_dataloader(self):
        return [self.part(128), self.part(192)]


class Segmenter(pl.LightningModule):
    """Which pixels of a digit are dark: a class for each pixel, of which there are no figures."""

    def __init__(self, lr: float = 0.1) -> None:
        super().__init__()
        self.lr = lr
        self.layer = torch.nn.Conv2d(1, 2, 3, padding=1)

    def forward(self, x):
        return self.layer(x)

    def training_step(self, batch, batch_idx):
        return torch.nn.functional.cross_entropy(self(batch["image"]), batch["mask"])

    def validation_step(self, batch, batch_idx):
        self.log("val/loss", self.training_step(batch, batch_idx))

    def test_step(self, batch, batch_idx):
        self.log("test/loss", self.training_step(batch, batch_idx))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=self.lr)


class Masks(pl.LightningDataModule):
    """Digits and their dark pixels, as dicts with keys that the data module names."""

    input_key, target_key = "image", "mask"

    def setup(self, stage=None):
        x, _ = load_digits(return_X_y=True)
        images = torch.tensor(x, dtype=torch.float32).reshape(-1, 1, 8, 8) / 16
        self.samples = [{"image": x, "mask": (x[0] > 0.5).long()} for x in images]

    def train_dataloader(self):
        return DataLoader(self.samples[:64], 16)

    def val_dataloader(self):
        return DataLoader(self.samples[64:128], 16)

    def test_dataloader(self):
        return DataLoader(self.samples[128:192], 16)
