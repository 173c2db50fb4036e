"""How every other contender trains a trial: stock Lightning, torchvision and DataLoader.

The network is that of ``model=cnn``, layer by layer and in the same memory layout, written in plain
torch; drawn by the same seed it has the same weights, so that no contender is ahead by them.
"""

import functools
import logging
import math
import os
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, Subset
from torchmetrics.classification import MulticlassAccuracy
from torchvision.datasets import FashionMNIST
from torchvision.transforms import Compose, Normalize, ToTensor

from benchmarks.race.marks import MarksFit
from benchmarks.race.plan import SLOTS, Plan


class Network(nn.Module):
    """Images (N, 1, 28, 28) -> logits (N, 10)."""

    def __init__(
        self, filters_1: int, filters_2: int, neurons_1: int, neurons_2: int, dropout: float
    ) -> None:
        super().__init__()
        self.features = nn.Sequential(
            *(nn.Conv2d(1, filters_1, 3, padding="same"), nn.MaxPool2d(2), nn.ReLU()),
            *(nn.Conv2d(filters_1, filters_2, 3, padding="same"), nn.MaxPool2d(2), nn.ReLU()),
        )
        self.classifier = nn.Sequential(
            nn.Flatten(),
            *(nn.Linear(filters_2 * 7 * 7, neurons_1), nn.ReLU(), nn.Dropout(dropout)),
            *(nn.Linear(neurons_1, neurons_2), nn.ReLU(), nn.Dropout(dropout)),
            nn.Linear(neurons_2, 10),
        )
        for layer in self.modules():
            if isinstance(layer, nn.Linear | nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_in", nonlinearity="relu")
                nn.init.zeros_(layer.bias)
        self.features.to(memory_format=torch.channels_last)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.features(x.to(memory_format=torch.channels_last)))
        return logits


class Classifier(pl.LightningModule):
    """Cross-entropy, under half a cosine over all steps."""

    def __init__(self, params: Mapping[str, Any]) -> None:
        super().__init__()
        widths = ("filters_1", "filters_2", "neurons_1", "neurons_2")
        self.network = Network(*(int(params[w]) for w in widths), float(params["dropout"]))
        self.params = params
        self.accuracy = MulticlassAccuracy(10, average="micro", validate_args=False)

    def training_step(self, batch: tuple[Tensor, Tensor], index: int) -> Tensor:
        x, y = batch
        return F.cross_entropy(self.network(x), y)

    def validation_step(self, batch: tuple[Tensor, Tensor], index: int) -> None:
        x, y = batch
        logits = self.network(x)
        self.accuracy(logits, y)
        self.log("val/loss", F.cross_entropy(logits, y), batch_size=len(y))
        self.log("val/accuracy", self.accuracy, batch_size=len(y))

    def configure_optimizers(self) -> Any:
        optimizer = optimizer_of(self.params, self.parameters())
        factor = functools.partial(cosine, steps=int(self.trainer.estimated_stepping_batches))
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


def cosine(step: int, *, steps: int) -> float:
    """The share of the learning rate in 0-based ``step``: 1 in the first, 0 in the last."""
    return (1 + math.cos(math.pi * min(1.0, step / max(1, steps - 1)))) / 2


def optimizer_of(params: Mapping[str, Any], parameters: Any) -> torch.optim.Optimizer:
    name, lr = params["optimizer"], float(params["lr"])
    if name == "sgd":
        return torch.optim.SGD(parameters, lr=lr, momentum=float(params["momentum"]))
    return {"radam": torch.optim.RAdam, "adam": torch.optim.Adam}[name](parameters, lr=lr)


def loaders(plan: Plan) -> tuple[DataLoader[Any], DataLoader[Any]]:
    """Of the images that train and that validate."""
    found = np.load(plan.split)
    steps = Compose([ToTensor(), Normalize(found["mean"].tolist(), found["std"].tolist())])
    images = FashionMNIST(plan.data, train=True, transform=steps)
    train, val = (Subset(images, found[part].tolist()) for part in ("train", "val"))
    order = torch.Generator().manual_seed(plan.seed)
    ways = processes()
    return (
        DataLoader(train, plan.batch_size, shuffle=True, generator=order, **ways),
        DataLoader(val, plan.eval_batch_size, **ways),
    )


def processes() -> dict[str, Any]:
    """How a DataLoader loads beside a trial.

    Where trials train on the CPU they fill all cores already, and processes only add the cost of
    handing the batches over. A GPU leaves the cores to them: a share for each slot.
    """
    if not torch.cuda.is_available():
        return {}
    workers = max(1, len(os.sched_getaffinity(0)) // (2 * SLOTS))
    return {"num_workers": workers, "persistent_workers": True, "pin_memory": True}


class Marks(MarksFit, pl.Callback):
    """Of trial ``number``."""

    def __init__(self, number: int) -> None:
        self.number = number

    def number_of(self, trainer: Any) -> int:
        return self.number


def fit(
    plan: Plan, number: int, params: Mapping[str, Any], callbacks: Sequence[pl.Callback] = ()
) -> float:
    """Train one trial on one thread; returns its last validation loss.

    What it leaves behind is as little as can be: no logs and no checkpoints.
    """
    torch.set_num_threads(1)
    quiet()
    pl.seed_everything(plan.weights_seeds[number], verbose=False)
    module = Classifier(params)
    trainer = pl.Trainer(
        max_epochs=plan.epochs,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        callbacks=[Marks(number), *callbacks],
    )
    train, val = loaders(plan)
    trainer.fit(module, train, val)
    return float(trainer.callback_metrics["val/loss"])


def quiet() -> None:
    """Neither its announcements nor its advice about loader processes."""
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning")
