"""The samples that a figure of a classifier in training shows; never test data."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from lightning_hpo.data import told
from lightning_hpo.data.base import TensorDataModule
from lightning_hpo.errors import UserError
from lightning_hpo.explain.seen import prepared
from lightning_hpo.flavour import pl

_MOST_SAMPLES = 10_000  # that a figure of mistakes looks at
_MOST_BYTES = 2**27  # of the inputs of data that are not resident


@dataclass(frozen=True)
class Labelled:
    """Samples of one split with their labels (N,), on the CPU but for ``inputs``.

    given: (N, ...), of which ``picture`` makes what is shown of one; inputs: (N, ...) as the
    network takes them.
    """

    split: str
    given: Tensor
    inputs: Tensor
    labels_n: Tensor
    picture: Callable[[Tensor], Tensor]

    @property
    def images(self) -> Tensor:
        """(N, C, H, W) to be shown; :class:`UserError` where a sample has no picture."""
        return torch.stack([self.picture(sample) for sample in self.given])

    def at(self, index_n: Tensor) -> "Labelled":
        inputs = self.inputs[index_n.to(self.inputs.device)]
        labels_n = self.labels_n[index_n]
        return Labelled(self.split, self.given[index_n], inputs, labels_n, self.picture)


def labelled(
    trainer: pl.Trainer, pl_module: pl.LightningModule, *, n: int | None = None
) -> Labelled:
    """The first ``n`` samples of the validation split, else of the training split as stored.

    Of data that are no TensorDataModule: of the first loader, as its batches come.
    """
    data, n = data_of(trainer), n or _MOST_SAMPLES
    if isinstance(data, TensorDataModule):
        return _resident(data, trainer, pl_module, n)
    name, loader = first_loader(trainer)
    parts, found = [], 0
    with pl.utilities.seed.isolate_rng(), as_validation(trainer):
        for batch in loader:
            parts.append(prepared(pl_module, data, batch))
            found += len(parts[-1][2])
            if found >= n or sum(given.nbytes for given, _, _ in parts) > _MOST_BYTES:
                name += f", first {min(n, found):,} samples"
                break
    x, inputs, y = (torch.cat(part)[:n] for part in zip(*parts, strict=True))
    _require_labels(y)
    inputs = trainer.precision_plugin.convert_input(inputs)
    return Labelled(name, x, inputs, y, partial(told.picture, data))


def _resident(
    data: TensorDataModule, trainer: pl.Trainer, pl_module: pl.LightningModule, n: int
) -> Labelled:
    validates = len(data.val_indices) > 0
    stage = "val" if validates else "train"
    name = "validation split" if validates else "training split"
    name += f", first {n:,} samples" if len(data.targets(stage)) > n else ""
    x, y = data.raw(stage, slice(n))
    _require_labels(y)
    inputs = data.normalised(x)
    inputs = trainer.precision_plugin.convert_input(inputs.to(pl_module.device))
    # As stored, they need no method of the data module.
    return Labelled(name, x.cpu(), inputs, y.cpu(), partial(told.picture, None))


def first_loader(trainer: pl.Trainer) -> tuple[str, Any]:
    """The first validation loader, else the first for training, and what its samples are called."""
    name = "validation split" if trainer.val_dataloaders else "training split"
    loader: Any = trainer.val_dataloaders or trainer.train_dataloader
    return name, loader[0] if isinstance(loader, list | tuple) else loader


@contextmanager
def as_validation(trainer: pl.Trainer) -> Iterator[None]:
    """Hooks that ask their Trainer whether to augment a batch are told that it validates."""
    stage = trainer.state.stage
    trainer.validating = True
    try:
        yield
    finally:
        trainer.state.stage = stage


def _require_labels(y: Tensor) -> None:
    if y.is_floating_point():
        raise UserError(
            "figures of a classifier need class labels, got real-valued targets; "
            "use callbacks=[predictions] for regression."
        )
    if y.ndim != 1:
        raise UserError(
            "figures of a classifier need one class label a sample (N,), got targets of shape"
            f" {tuple(y.shape)}."
        )


def data_of(trainer: pl.Trainer) -> Any:
    """The data module, or None."""
    return trainer.datamodule  # type: ignore[attr-defined]
