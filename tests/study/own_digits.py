"""A user's own digits: a data module with augmentation and loader processes, nothing of ours."""

from functools import cache

import pytorch_lightning as pl
import torch
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, Dataset, Subset

# What the augmentation leaves in a picture's corner, which is empty in all of them.
TOUCHED = 7.0


def shifted(x):
    x = x.roll(1)
    x[0] = TOUCHED
    return x


@cache
def digits():
    return load_digits(return_X_y=True)


class Pictures(Dataset):
    def __init__(self, transform=None):
        x, y = digits()
        self.x, self.y = torch.tensor(x[:300], dtype=torch.float32) / 16, torch.tensor(y[:300])
        self.transform = transform

    def __len__(self):
        return len(self.x)

    def __getitem__(self, i):
        x = self.x[i].clone()
        return (x if self.transform is None else self.transform(x)), self.y[i]


class Digits(pl.LightningDataModule):
    num_classes = 10

    def __init__(self, batch_size=32, num_workers=1, **kwargs):
        super().__init__()
        if kwargs:
            raise TypeError(f"nobody asked for {sorted(kwargs)}")
        self.save_hyperparameters()

    def setup(self, stage=None):
        order = torch.randperm(300).tolist()
        self.train = Subset(Pictures(shifted), order[:200])
        self.val = Subset(Pictures(), order[200:260])
        self.test = Subset(Pictures(), order[260:])

    def _loader(self, part, **options):
        workers = self.hparams.num_workers
        return DataLoader(part, self.hparams.batch_size, num_workers=workers, **options)

    def train_dataloader(self):
        return self._loader(self.train, shuffle=True)

    def val_dataloader(self):
        return self._loader(self.val)

    def test_dataloader(self):
        return self._loader(self.test)


class Classifier(pl.LightningModule):
    """Refuses a batch that augmentation has touched where it validates, or not where it trains."""

    def __init__(self, lr=0.1):
        super().__init__()
        self.lr, self.layer = lr, torch.nn.Linear(64, 10)

    def forward(self, x):
        return self.layer(x)

    def loss(self, batch, touched):
        x, y = batch
        if bool((x[:, 0] == TOUCHED).all()) is not touched:
            raise RuntimeError("a sample is seen through the wrong view")
        return torch.nn.functional.cross_entropy(self(x), y)

    def training_step(self, batch, batch_idx):
        return self.loss(batch, touched=True)

    def validation_step(self, batch, batch_idx):
        self.log("val_loss", self.loss(batch, touched=False))

    def test_step(self, batch, batch_idx):
        self.log("test_loss", self.loss(batch, touched=False))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=self.lr)


class FlaggedPictures(Pictures):
    def __init__(self, train):
        super().__init__(shifted if train else None)
        self.train = train


class Flagged(Digits):
    """Its two datasets differ in a flag that may mean anything."""

    def setup(self, stage=None):
        super().setup(stage)
        self.train = Subset(FlaggedPictures(True), self.train.indices)
        self.val = Subset(FlaggedPictures(False), self.val.indices)
