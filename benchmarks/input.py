"""What an epoch's input costs: the stock torchvision pipeline against resident tensors.

    python -m benchmarks.input [--images 6000]

Prints seconds for one epoch of Fashion-MNIST's 60,000 training images at batch 64, without any
network: plain (normalised) and augmented (rotation, horizontal flip, erasing). Ours runs on all
images. The stock pipeline runs on --images of them and is scaled up; its loader processes are
started before the clock, and it is timed in the same run on the same machine.
"""

import argparse
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterable

import numpy as np
import torch
import torchvision
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from lightning_hpo.data.augment import BatchAugment
from lightning_hpo.data.fashion_mnist import FashionMNISTDataModule

N_IMAGES = 60_000
BATCH_SIZE = 64
MEAN, STD = 0.2860, 0.3530
Row = tuple[str, float, float]


class StockDataset(Dataset[tuple[Tensor, int]]):
    """What ``torchvision.datasets.FashionMNIST.__getitem__`` does, over arrays already read."""

    def __init__(self, images: NDArray[np.uint8], labels: NDArray[np.uint8], transform: Callable):
        self.images, self.labels, self.transform = images, labels, transform

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, i: int) -> tuple[Tensor, int]:
        return self.transform(Image.fromarray(self.images[i])), int(self.labels[i])


def stock_transform(*, augmented: bool) -> Callable:
    before = [transforms.RandomRotation(10), transforms.RandomHorizontalFlip()]
    plain = [transforms.ToTensor(), transforms.Normalize(MEAN, STD)]
    return transforms.Compose([*before, *plain, transforms.RandomErasing()] if augmented else plain)


def epoch_s(batches: Iterable[tuple[Tensor, Tensor]]) -> float:
    start = time.perf_counter()
    for _ in batches:
        pass
    return time.perf_counter() - start


def stock_s(data: FashionMNISTDataModule, *, images: int, workers: int, augmented: bool) -> float:
    arrays = data.load()
    dataset = StockDataset(
        arrays.train_x[:images, 0], arrays.train_y[:images], stock_transform(augmented=augmented)
    )
    loader = DataLoader(
        dataset, BATCH_SIZE, shuffle=True, num_workers=workers, persistent_workers=workers > 0
    )
    if workers:
        epoch_s(loader)  # starts the processes
    return epoch_s(loader) * N_IMAGES / images


def ours_s(data: FashionMNISTDataModule, *, repeats: int = 5) -> list[float]:
    loader = data.train_dataloader()
    epoch_s(loader)
    return [epoch_s(loader) for _ in range(repeats)]


def make(*, augmented: bool) -> FashionMNISTDataModule:
    augment = BatchAugment(rotation_deg=10, horizontal_flip=0.5, erasing=0.5)
    data = FashionMNISTDataModule(
        batch_size=BATCH_SIZE, split={"method": "none"}, augment=augment if augmented else None
    )
    data.prepare_data()
    data.setup("fit")
    return data


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--images", type=int, default=6000, help="images the stock pipeline runs on [6000]"
    )
    images = parser.parse_args().images
    if not BATCH_SIZE <= images <= N_IMAGES:
        parser.error(f"--images must lie in [{BATCH_SIZE}, {N_IMAGES}], got {images}.")
    n_cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    print(
        f"torch {torch.__version__}, torchvision {torchvision.__version__}, Python "
        f"{platform.python_version()}; {n_cpus} CPUs, {torch.get_num_threads()} threads, load "
        f"{os.getloadavg()[0]:.1f}\n"
        f"Seconds per epoch of {N_IMAGES:,} images at batch {BATCH_SIZE}; stock: measured on "
        f"{images:,} images, times {N_IMAGES / images:g}; ours: all images, median (range) of 5"
    )
    print(f"{'':46}{'plain':>20}{'augmented':>20}")
    plain, augmented = make(augmented=False), make(augmented=True)
    stock = {}
    for workers in (0, n_cpus or 1):
        name = f"torchvision, {workers} loader processes"
        stock[name] = [
            stock_s(plain, images=images, workers=workers, augmented=flag) for flag in (False, True)
        ]
        print(f"{name:46}{stock[name][0]:20.2f}{stock[name][1]:20.2f}", flush=True)
    times = [ours_s(data) for data in (plain, augmented)]
    ours = [statistics.median(values) for values in times]
    cells = [
        f"{median:.2f} ({min(values):.2f}-{max(values):.2f})"
        for median, values in zip(ours, times, strict=True)
    ]
    print(f"{'resident tensors (ours)':46}{cells[0]:>20}{cells[1]:>20}")
    for name, seconds in stock.items():
        ratios = [f"{a / b:.0f} x" for a, b in zip(seconds, ours, strict=True)]
        print(f"{'ours against ' + name:46}{ratios[0]:>20}{ratios[1]:>20}")


if __name__ == "__main__":
    main()
