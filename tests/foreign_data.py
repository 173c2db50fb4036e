"""Data modules of a user's own, in the ways in which training and validation come to differ."""

from collections.abc import Callable
from typing import Any

import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader, Dataset, Subset, TensorDataset

N, N_TRAIN = 60, 48
X, Y = torch.arange(float(N)), torch.arange(N) % 3

# What an augmentation adds: a sample that it has touched shows it.
TOUCHED = 1000.0


def touch(value: torch.Tensor) -> torch.Tensor:
    return value + TOUCHED


class Rows(Dataset[Any]):
    """Numbers and classes, seen through ``transform``; what else is given are its attributes."""

    def __init__(self, x: Any, y: Any, transform: Any = None, **others: Any) -> None:
        self.x, self.y, self.transform = x, y, transform
        vars(self).update(others)

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, i: int) -> tuple[Any, Any]:
        x = self.x[i]
        return (x if self.transform is None else self.transform(x)), self.y[i]


class Transformed(Dataset[Any]):
    """A part of a dataset with a transform of its own, as many write it."""

    def __init__(self, subset: Any, transform: Any) -> None:
        self.subset, self.transform = subset, transform

    def __len__(self) -> int:
        return len(self.subset)

    def __getitem__(self, i: int) -> tuple[Any, Any]:
        x, y = self.subset[i]
        return self.transform(x), y


class Foreign(pl.LightningDataModule):
    """``make`` gives the training and the validation dataset; ``settings`` are of both loaders."""

    def __init__(self, make: Callable[[], tuple[Any, Any]], **settings: Any) -> None:
        super().__init__()
        self.make, self.settings = make, {"batch_size": 7} | settings

    def setup(self, stage: str | None = None) -> None:
        self.train_set, self.val_set = self.make()

    def train_dataloader(self) -> Any:
        return DataLoader(self.train_set, shuffle=True, **self.settings)

    def val_dataloader(self) -> Any:
        return DataLoader(self.val_set, **self.settings)


def one_dataset() -> tuple[Any, Any]:
    """As random_split leaves them."""
    order = torch.randperm(N, generator=torch.Generator().manual_seed(1)).tolist()
    whole = TensorDataset(X, Y)
    return Subset(whole, order[:N_TRAIN]), Subset(whole, order[N_TRAIN:])


def two_datasets() -> tuple[Any, Any]:
    return TensorDataset(X[:N_TRAIN], Y[:N_TRAIN]), TensorDataset(X[N_TRAIN:], Y[N_TRAIN:])


def two_copies() -> tuple[Any, Any]:
    """The same data twice, once with augmentation, as torchvision's tutorials do."""
    train, val = one_dataset()
    return (
        Subset(Rows(X, Y, touch), list(train.indices)),
        Subset(Rows(X.clone(), Y.clone()), list(val.indices)),
    )


def two_files() -> tuple[Any, Any]:
    return Rows(X[:N_TRAIN], Y[:N_TRAIN], touch), Rows(X[N_TRAIN:], Y[N_TRAIN:])


def flagged() -> tuple[Any, Any]:
    """Differ in what may mean anything."""
    train, val = two_files()
    train.train, val.train = True, False
    return train, val


def transformed_parts() -> tuple[Any, Any]:
    train, val = one_dataset()
    return Transformed(train, touch), Transformed(val, torch.clone)


def values(dataset: Any) -> list[float]:
    """What ``dataset`` shows of each sample."""
    return [float(dataset[i][0]) for i in range(len(dataset))]
