"""What a training epoch of the reference CNN costs: our trial, stock Lightning, a bare loop.

    python -m benchmarks.cnn [--images 5400] [--epochs 1] [--rounds 3] [--batch-size 64]
                            [--to FILE]

All train the network of the published optimum (54 and 50 filters, 80 and 40 neurons) with Adam on
the same images of Fashion-MNIST, rotated, flipped and erased at random:

ours         resident tensors, batched augmentation, with Lightning's own loop and with a whole
             epoch in one call, in bf16 too; on a GPU also as a captured graph
bare loop    a hand-written PyTorch loop over the same resident tensors, same network and layout
stock        torchvision's transforms in a DataLoader with one process for each core, a
             LightningModule as in Lightning's tutorials, ``self.log`` in each step

Each way trains for one epoch that does not count (processes start, graphs are captured) and
--epochs that do, in --rounds rounds in which the ways take turns; ratios are of one round each. On
a GPU the last lines are whole trials: ten epochs of 54,000 images, validation included.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable
from functools import partial

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader

from benchmarks import figures
from benchmarks.conditions import conditions, quiet_lightning
from benchmarks.input import StockDataset, stock_transform
from lightning_hpo.data.augment import BatchAugment
from lightning_hpo.data.fashion_mnist import FashionMNISTDataModule
from lightning_hpo.data.folds import Split
from lightning_hpo.machine.devices import cpu_cores
from lightning_hpo.models.cnn import CNNClassifier

N_IMAGES, N_EPOCHS = 54_000, 10
NETWORK = {"filters_1": 54, "filters_2": 50, "neurons_1": 80, "neurons_2": 40}
LR = 0.001361
BARE, STOCK = "bare PyTorch loop, resident data", "stock Lightning and torchvision"
OURS = "ours, an epoch in one call"
CUDA = torch.cuda.is_available()


class StockClassifier(pl.LightningModule):
    """The same network as a tutorial writes it."""

    def __init__(self) -> None:
        super().__init__()
        self.network = nn.Sequential(
            nn.Conv2d(1, NETWORK["filters_1"], 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(NETWORK["filters_1"], NETWORK["filters_2"], 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(NETWORK["filters_2"] * 49, NETWORK["neurons_1"]),
            nn.ReLU(),
            nn.Linear(NETWORK["neurons_1"], NETWORK["neurons_2"]),
            nn.ReLU(),
            nn.Linear(NETWORK["neurons_2"], 10),
        )

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        logits = self.network(x)
        loss = F.cross_entropy(logits, y)
        self.log("train/loss", loss, prog_bar=True)
        self.log("train/accuracy", (logits.argmax(1) == y).float().mean(), prog_bar=True)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=LR)


class EpochTimer(pl.Callback):
    """Seconds of each training epoch but the first."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.start = now_s()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.current_epoch > 0:
            self.seconds.append(now_s() - self.start)


def now_s() -> float:
    if CUDA:
        torch.cuda.synchronize()
    return time.perf_counter()


def make_trainer(epochs: int, *callbacks: pl.Callback, **options: object) -> pl.Trainer:
    return pl.Trainer(
        max_epochs=epochs,
        devices=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=list(callbacks),
        **options,
    )


def make_data(images: int | None, batch_size: int, split: Split) -> FashionMNISTDataModule:
    augment = BatchAugment(rotation_deg=10, horizontal_flip=0.5, erasing=0.5)
    data = FashionMNISTDataModule(
        batch_size=batch_size, train_limit=images, split=split, augment=augment
    )
    data.prepare_data()
    return data


def make_ours(**options: object) -> CNNClassifier:
    torch.manual_seed(0)
    return CNNClassifier(**NETWORK, optimizer=partial(torch.optim.Adam, lr=LR), **options)


def ours_s(
    told: argparse.Namespace, *, precision: str = "32-true", **options: object
) -> list[float]:
    timer = EpochTimer()
    trainer = make_trainer(told.epochs + 1, timer, precision=precision, limit_val_batches=0)
    data = make_data(told.images, told.batch_size, Split(method="none"))
    trainer.fit(make_ours(**options), datamodule=data)
    return timer.seconds


def bare_s(told: argparse.Namespace) -> list[float]:
    """The loop that one writes by hand: nothing but batches, loss, backward and step."""
    data = make_data(told.images, told.batch_size, Split(method="none"))
    data.setup("fit")
    device = torch.device("cuda" if CUDA else "cpu")
    loader = data.train_dataloader()
    loader.x, loader.y, loader.index = (t.to(device) for t in (loader.x, loader.y, loader.index))
    model = make_ours().to(device).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=LR)
    seconds = []
    for _ in range(told.epochs + 1):
        start = now_s()
        for x, y in loader:
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
        seconds.append(now_s() - start)
    return seconds[1:]


def stock_s(told: argparse.Namespace) -> list[float]:
    data = make_data(None, told.batch_size, Split(method="none"))
    arrays = data.load()
    dataset = StockDataset(
        arrays.train_x[: told.images, 0],
        arrays.train_y[: told.images],
        stock_transform(augmented=True),
    )
    loader = DataLoader(
        dataset,
        told.batch_size,
        shuffle=True,
        num_workers=cpu_cores(),
        persistent_workers=True,
        pin_memory=CUDA,
    )
    timer = EpochTimer()
    torch.manual_seed(0)
    make_trainer(told.epochs + 1, timer).fit(StockClassifier(), loader)
    return timer.seconds


def ways(told: argparse.Namespace) -> dict[str, Callable[[], list[float]]]:
    found: dict[str, Callable[[], list[float]]] = {
        "ours, Lightning's own loop": lambda: ours_s(told),
        OURS: lambda: ours_s(told, steps_per_call="epoch"),
        f"{OURS}, bf16": lambda: ours_s(told, precision="bf16-mixed", steps_per_call="epoch"),
    }
    if CUDA:
        graph = {"steps_per_call": "epoch", "cuda_graph": True}
        found[f"{OURS}, captured"] = lambda: ours_s(told, **graph)
        found[f"{OURS}, captured, bf16"] = lambda: ours_s(told, precision="bf16-mixed", **graph)
    return found | {BARE: lambda: bare_s(told), STOCK: lambda: stock_s(told)}


def whole_trial_s(told: argparse.Namespace, precision: str) -> float:
    """Ten epochs over 54,000 images, validated on the other 6,000 after each."""
    trainer = make_trainer(N_EPOCHS, precision=precision)
    data = make_data(None, told.batch_size, Split())
    start = now_s()
    trainer.fit(make_ours(steps_per_call="epoch", cuda_graph=True), datamodule=data)
    return now_s() - start


def print_head(told: argparse.Namespace) -> None:
    print(
        f"{conditions()}, pytorch-lightning {pl.__version__}; {torch.get_num_threads()} threads,"
        f" load {os.getloadavg()[0]:.1f}\n"
        f"Seconds per epoch of {told.images:,} images at batch {told.batch_size}: median (range) "
        f"of {told.rounds} rounds of {told.epochs} epochs; and as {N_EPOCHS} epochs of "
        f"{N_IMAGES:,}\n{'':40}{'seconds':>26}{'10 epochs':>12}"
    )


def print_ratios(seconds: dict[str, list[float]]) -> None:
    """The ways take turns, so a round's ratio is free of slow drifts of the machine."""
    print(f"{'':40}{'faster than stock':>26}{'slower than bare':>24}")
    for name in (name for name in seconds if name.startswith("ours")):
        ours = seconds[name]
        faster = [stock / own for own, stock in zip(ours, seconds[STOCK], strict=True)]
        slower = [100 * (own / bare - 1) for own, bare in zip(ours, seconds[BARE], strict=True)]
        times = f"{statistics.median(faster):.2f} x ({min(faster):.2f}-{max(faster):.2f})"
        percent = f"{statistics.median(slower):.1f} % ({min(slower):.1f} to {max(slower):.1f})"
        print(f"{name:40}{times:>26}{percent:>24}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=5400, help="training images [5400]")
    parser.add_argument("--epochs", type=int, default=1, help="epochs that count [1]")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each way [3]")
    parser.add_argument("--batch-size", type=int, default=64, help="[64]")
    figures.add_argument(parser)
    told = parser.parse_args()
    if not 1 <= told.images <= 60_000 or min(told.epochs, told.rounds, told.batch_size) < 1:
        parser.error("--images must lie in [1, 60000], the others must be at least 1.")
    quiet_lightning()
    print_head(told)
    seconds: dict[str, list[float]] = {name: [] for name in ways(told)}
    for _ in range(told.rounds):
        for name, way in ways(told).items():
            seconds[name].append(statistics.median(way()))
    for name, values in seconds.items():
        median = statistics.median(values)
        cell = f"{median:.3f} ({min(values):.3f}-{max(values):.3f})"
        print(f"{name:40}{cell:>26}{median * N_IMAGES / told.images * N_EPOCHS:12.1f}")
        figures.append(told.to, "cnn", way=name, images=told.images, epoch_s=values)
    print_ratios(seconds)
    for precision in ("32-true", "bf16-mixed") if CUDA else ():
        whole_trial_s(told, precision)  # loads kernels
        trial_s = whole_trial_s(told, precision)
        print(f"a whole trial, captured, {precision}: {trial_s:.2f} s")
        figures.append(told.to, "cnn", way=f"a whole trial, captured, {precision}", trial_s=trial_s)


if __name__ == "__main__":
    main()
