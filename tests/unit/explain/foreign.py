"""Modules and data modules of a user's own: plain Lightning, with nothing of ours in them."""

from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_diabetes, load_digits
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, TensorDataset

from lightning_hpo.flavour import pl


class Network(pl.LightningModule):
    """Any network, with a forward and nothing else that figures could ask for."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        return self.network(x)


def image_classifier() -> Network:
    """(N, 1, 8, 8) to 10 classes."""
    torch.manual_seed(0)
    convolution = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(inplace=True))
    return Network(nn.Sequential(convolution, nn.Flatten(), nn.Linear(144, 10)))


def regressor() -> Network:
    """(N, 10) to (N, 1)."""
    torch.manual_seed(0)
    return Network(nn.Linear(10, 1))


def segmenter() -> Network:
    """(N, 1, 8, 8) to a class for each of its pixels."""
    return Network(nn.Conv2d(1, 2, 3, padding=1))


class AsDicts(Dataset[Any]):
    def __init__(self, x: Tensor, y: Tensor, keys: tuple[str, str]) -> None:
        self.x, self.y, self.keys = x, y, keys

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, i: int) -> dict[str, Tensor]:
        return dict(zip(self.keys, (self.x[i], self.y[i]), strict=True))


class Loaded(pl.LightningDataModule):
    """Loaders of the same samples for training, validation and test, in batches of 32."""

    def __init__(
        self, x: Tensor, y: Tensor, *, keys: tuple[str, str] | None = None, **options: Any
    ) -> None:
        super().__init__()
        self.samples: Dataset[Any] = AsDicts(x, y, keys) if keys else TensorDataset(x, y)
        self.options = options

    def train_dataloader(self) -> Any:
        return DataLoader(self.samples, 32, shuffle=True)

    def val_dataloader(self) -> Any:
        return DataLoader(self.samples, 32)

    def test_dataloader(self) -> Any:
        return DataLoader(self.samples, 32, **self.options)


def digits(n: int = 200) -> tuple[Tensor, Tensor]:
    x, y = load_digits(return_X_y=True)
    images = torch.tensor(x[:n], dtype=torch.float32).reshape(-1, 1, 8, 8) / 16
    return images, torch.tensor(y[:n])


def diabetes() -> tuple[Tensor, Tensor]:
    """Targets (N,)."""
    x, y = (np.asarray(a, dtype=np.float32) for a in load_diabetes(return_X_y=True))
    return torch.from_numpy(x), torch.from_numpy((y - y.mean()) / y.std())
