"""Eight folds of the reference regressor: one stacked network against two ways to train each alone.

    python -m benchmarks.folds [--epochs 300] [--to FILE]

The reference study's first optimum (RAdam, 108 and 64 neurons, dropout 0.0014) on the noisy curve:
every epoch is one step on all training samples, followed by a validation. Milliseconds for one
epoch of all eight folds, each way with one CPU thread and with all of them; the ratios compare the
faster of each. The stock fit is timed over a fifth of the epochs, since it takes so long. Where
there is a CUDA GPU, all three train on it.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from benchmarks import figures
from benchmarks.conditions import conditions, quiet_lightning
from lightning_hpo.data.curve import CurveDataModule
from lightning_hpo.data.folds import Split
from lightning_hpo.fitting.stack_members import member_of
from lightning_hpo.models.mlp import MLPRegressor
from lightning_hpo.stack.module import Group, StackedFit
from lightning_hpo.stack.regression import RegressionMember
from lightning_hpo.stack.training import Stopping

N_FOLDS = 8
REPEATS = 3
OPTIMIZER = partial(torch.optim.RAdam, lr=0.007248)
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")


def members() -> list[RegressionMember]:
    """Eight freshly initialised networks with their folds of the curve."""
    made = []
    for fold in range(N_FOLDS):
        pl.seed_everything(fold, verbose=False)
        data = CurveDataModule(split=Split(method="kfold", n_splits=N_FOLDS, fold=fold))
        data.prepare_data()
        data.setup("fit")
        module = MLPRegressor(neurons=(108, 64), dropout=0.0014, optimizer=OPTIMIZER)
        # Nothing here follows a schedule, which alone asks for the length of the fit.
        made.append(member_of(module, data, seed=fold, epochs=1))
    return made


def trainer(epochs: int, **options: Any) -> pl.Trainer:
    return pl.Trainer(
        max_epochs=epochs,
        accelerator=DEVICE.type,
        devices=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        log_every_n_steps=1,
        **options,
    )


def stacked(epochs: int) -> None:
    """All folds as one stack, under one Trainer."""
    group = Group(members())
    trainer(1, limit_val_batches=0).fit(
        StackedFit([group], epochs=epochs, epochs_per_step=50, stopping=Stopping())
    )


def by_hand(epochs: int) -> None:
    """The plainest PyTorch loop, fold after fold."""
    for fold in members():
        x, y, val_x, val_y = (part.to(DEVICE) for part in (*fold.train, *fold.val))
        # Before the first step an optimizer has no state, so it follows its parameters.
        network, loss_of = fold.network.to(DEVICE), nn.MSELoss()
        for _ in range(epochs):
            network.train()
            loss = loss_of(network(x).squeeze(1), y)
            fold.optimizer.zero_grad()
            loss.backward()
            fold.optimizer.step()
            network.eval()
            with torch.no_grad():
                loss_of(network(val_x).squeeze(1), val_y).item()


class StockModule(pl.LightningModule):
    """A module as Lightning's own examples write it."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
        loss = self._loss(batch)
        self.log("train/loss", loss)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.log("val/loss", self._loss(batch))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return OPTIMIZER(self.parameters())

    def _loss(self, batch: Any) -> torch.Tensor:
        x, y = batch
        return nn.functional.mse_loss(self.network(x).squeeze(1), y)


def stock(epochs: int) -> None:
    """One stock Lightning fit for each fold."""
    for fold in members():
        train, val = (DataLoader(TensorDataset(*part), 100) for part in (fold.train, fold.val))
        trainer(epochs).fit(StockModule(fold.network), train, val)


def epoch_ms(way: Callable[[int], None], epochs: int, threads: int) -> float:
    """The median over a few runs of what an epoch of all folds costs, set-up included."""
    torch.set_num_threads(threads)
    way(2)
    seconds = []
    for _ in range(REPEATS):
        started_s = time.perf_counter()
        way(epochs)
        if DEVICE.type == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - started_s)
    return statistics.median(seconds) / epochs * 1e3


def main() -> None:
    """Measure the three ways and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=300)
    figures.add_argument(parser)
    told = parser.parse_args()
    epochs = told.epochs
    quiet_lightning()
    threads = sorted({1, torch.get_num_threads()})
    ways = {
        "one stacked network (ours)": (stacked, epochs),
        "hand-written loop, fold after fold": (by_hand, epochs),
        "one stock Lightning fit for each fold": (stock, max(1, epochs // 5)),
    }
    print(f"{conditions()}; ms for an epoch of all {N_FOLDS} folds, median of {REPEATS}\n")
    columns = " | ".join(f"{n} thread(s)" for n in threads)
    print(f"| | {columns} | ratio |\n|---|{'---|' * (len(threads) + 1)}")
    ours = None
    for name, (way, n_epochs) in ways.items():
        found = [epoch_ms(way, n_epochs, n) for n in threads]
        ours = ours or min(found)
        cells = " | ".join(f"{ms:.2f}" for ms in found)
        print(f"| {name} | {cells} | {min(found) / ours:.1f} |", flush=True)
        figures.append(told.to, "folds", way=name, epoch_ms=dict(zip(threads, found, strict=True)))


if __name__ == "__main__":
    main()
