"""Noisy points around four centres: as images of 4 x 4, drawn anew from a fixed seed."""

from collections.abc import Sequence
from typing import Any

import torch
from lightning import LightningDataModule
from torch.utils.data import DataLoader, Dataset, TensorDataset, random_split


class BlobsDataModule(LightningDataModule):
    """``num_workers`` processes load each split; ``train_val_test_split``: samples of each."""

    def __init__(
        self,
        train_val_test_split: Sequence[int] = (240, 80, 80),
        batch_size: int = 40,
        num_workers: int = 0,
        pin_memory: bool = False,
    ) -> None:
        super().__init__()
        self.save_hyperparameters(logger=False)
        self.data_train: Dataset | None = None
        self.data_val: Dataset | None = None
        self.data_test: Dataset | None = None

    @property
    def num_classes(self) -> int:
        return 4

    def setup(self, stage: str | None = None) -> None:
        if self.data_train is not None:
            return
        generator = torch.Generator().manual_seed(7)
        sizes = list(self.hparams.train_val_test_split)
        y = torch.randint(0, 4, (sum(sizes),), generator=generator)
        centres = torch.randn(4, 1, 4, 4, generator=generator)
        x = centres[y] + 0.7 * torch.randn(sum(sizes), 1, 4, 4, generator=generator)
        splits = random_split(TensorDataset(x, y), sizes, generator=generator)
        self.data_train, self.data_val, self.data_test = splits

    def _loader(self, dataset: Dataset | None, *, shuffle: bool) -> DataLoader[Any]:
        return DataLoader(
            dataset=dataset,
            batch_size=self.hparams.batch_size,
            num_workers=self.hparams.num_workers,
            pin_memory=self.hparams.pin_memory,
            shuffle=shuffle,
        )

    def train_dataloader(self) -> DataLoader[Any]:
        return self._loader(self.data_train, shuffle=True)

    def val_dataloader(self) -> DataLoader[Any]:
        return self._loader(self.data_val, shuffle=False)

    def test_dataloader(self) -> DataLoader[Any]:
        return self._loader(self.data_test, shuffle=False)
