"""What it costs that a user's own loaders read our folds instead of their own split.

    python -m benchmarks.wrapper [--samples 20000] [--rounds 5] [--workers 0]

An epoch reads every training and every validation sample once, through the user's own loaders and
through the same ones over a fold: as many samples, the same work on each. Both take turns; the
ratio is of one round each, and shall be at most 1.02. Processor time is that of this process alone,
which other work on the machine disturbs less; loader processes are not in it.
"""

import argparse
import statistics
import time
import warnings
from collections.abc import Callable
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Subset, TensorDataset

from benchmarks.conditions import conditions
from lightning_hpo.data.folds import Split
from lightning_hpo.data.resplit import Resplit

BATCH_SIZE, TARGET = 64, 1.02


class Pictures(Dataset[Any]):
    """Bytes that a transform makes an input of, as most picture datasets do."""

    def __init__(self, x: Tensor, y: Tensor, transform: Callable[[Tensor], Tensor]) -> None:
        self.x, self.y, self.transform = x, y, transform

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, i: int) -> tuple[Tensor, Tensor]:
        return self.transform(self.x[i]), self.y[i]


def plain(x: Tensor) -> Tensor:
    return (x.float() / 255 - 0.5) / 0.25


def augmented(x: Tensor) -> Tensor:
    return plain(x.flip(-1) if torch.rand(1) < 0.5 else x)


class Own(pl.LightningDataModule):
    """A user's data module over two datasets."""

    def __init__(self, train: Dataset[Any], val: Dataset[Any], workers: int) -> None:
        super().__init__()
        self.parts, self.workers = (train, val), workers

    def _loader(self, part: int, *, shuffle: bool) -> DataLoader[Any]:
        workers = self.workers
        return DataLoader(self.parts[part], BATCH_SIZE, shuffle=shuffle, num_workers=workers)

    def train_dataloader(self) -> DataLoader[Any]:
        return self._loader(0, shuffle=True)

    def val_dataloader(self) -> DataLoader[Any]:
        return self._loader(1, shuffle=False)


def cases(n: int) -> dict[str, tuple[Dataset[Any], Dataset[Any]]]:
    """Training and validation datasets of ``n`` samples in all, by how they come to be two."""
    x, y = torch.randint(256, (n, 1, 28, 28), dtype=torch.uint8), torch.randint(10, (n,))
    order, cut = torch.randperm(n).tolist(), n * 4 // 5
    whole = Pictures(x, y, augmented), Pictures(x, y, plain)
    apart = Pictures(x[:cut], y[:cut], augmented), Pictures(x[cut:], y[cut:], plain)
    rows = TensorDataset(x.flatten(1).float(), y)
    return {
        "pictures, two copies of one dataset": (
            Subset(whole[0], order[:cut]),
            Subset(whole[1], order[cut:]),
        ),
        "pictures, two datasets": apart,
        "rows of a TensorDataset, nothing done": (
            Subset(rows, order[:cut]),
            Subset(rows, order[cut:]),
        ),
    }


def epoch_s(data: pl.LightningDataModule) -> tuple[float, float]:
    """Seconds to read every batch of the training and of the validation loader: wall, processor."""
    wall, processor = time.perf_counter(), time.process_time()
    for loader in (data.train_dataloader(), data.val_dataloader()):
        for _ in loader:
            pass
    return time.perf_counter() - wall, time.process_time() - processor


def measured(
    parts: tuple[Dataset[Any], Dataset[Any]], told: argparse.Namespace
) -> tuple[list[float], list[float]]:
    """Seconds with us over seconds without, of each round: wall, processor."""
    own, wrapped = Own(*parts, told.workers), Own(*parts, told.workers)
    Resplit(wrapped, Split("kfold", stratified=False))
    wrapped.setup("fit")
    epoch_s(own), epoch_s(wrapped)
    ratios: tuple[list[float], list[float]] = [], []
    for turn in range(told.rounds):
        # Each goes first in every second round.
        first, second = (own, wrapped) if turn % 2 else (wrapped, own)
        seconds = {id(data): epoch_s(data) for data in (first, second)}
        for found, ours, theirs in zip(ratios, seconds[id(wrapped)], seconds[id(own)], strict=True):
            found.append(ours / theirs)
    return ratios


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=20_000, help="in all [20000]")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each way [5]")
    parser.add_argument("--workers", type=int, default=0, help="loader processes [0]")
    told = parser.parse_args()
    if min(told.samples - 9, told.rounds) < 1 or told.workers < 0:
        parser.error("--samples must be at least 10, --rounds 1 and --workers 0.")
    return told


def main() -> None:
    told = arguments()
    warnings.filterwarnings("ignore", message="This DataLoader will create")
    print(f"{conditions()}, {told.samples} samples, {told.workers} loader process(es)")
    print("| data | wrapped over own, wall | processor time | target |\n|---|---|---|---|")
    for name, parts in cases(told.samples).items():
        wall, processor = map(shown, measured(parts, told))
        print(f"| {name} | {wall} | {processor} | {TARGET} |", flush=True)


def shown(ratios: list[float]) -> str:
    """The median and the range."""
    return f"{statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})"


if __name__ == "__main__":
    main()
