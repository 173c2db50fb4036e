"""The samples that a figure of a classifier in training shows; never test data."""

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from lightning_hpo.data.base import TensorDataModule
from lightning_hpo.errors import UserError
from lightning_hpo.flavour import pl

_MOST_SAMPLES = 10_000  # that a figure of mistakes looks at


@dataclass(frozen=True)
class Labelled:
    """Samples of one split with their labels (N,), on the CPU but for ``inputs``.

    images: (N, ...) to be shown; inputs: (N, ...) as the network takes them.
    """

    split: str
    images: Tensor
    inputs: Tensor
    labels_n: Tensor

    def at(self, index_n: Tensor) -> "Labelled":
        inputs = self.inputs[index_n.to(self.inputs.device)]
        return Labelled(self.split, self.images[index_n], inputs, self.labels_n[index_n])


def labelled(
    trainer: pl.Trainer, pl_module: pl.LightningModule, *, n: int | None = None
) -> Labelled:
    """The first ``n`` samples of the validation split, else of the training split as stored.

    Of data that are no TensorDataModule: the first batch, which must be (x, y).
    """
    data, n = data_of(trainer), n or _MOST_SAMPLES
    if isinstance(data, TensorDataModule):
        validates = len(data.val_indices) > 0
        x, y = data.raw("val" if validates else "train")
        name = "validation split" if validates else "training split"
        name += f", first {n:,} samples" if len(y) > n else ""
        x, y = x[:n], y[:n]
        inputs = data.normalised(x)
    else:
        x, y = _first_batch(trainer)
        inputs, name = x, "first batch"
    _require_labels(y)
    inputs = trainer.precision_plugin.convert_input(inputs.to(pl_module.device))
    return Labelled(name, x.cpu(), inputs, y.cpu())


def _first_batch(trainer: pl.Trainer) -> tuple[Tensor, Tensor]:
    """Of the validation loader, else of the training loader."""
    loader: Any = trainer.val_dataloaders or trainer.train_dataloader
    batch = next(iter(loader[0] if isinstance(loader, list | tuple) else loader))
    if not isinstance(batch, list | tuple) or len(batch) != 2:
        raise UserError(
            f"figures of a classifier need batches (x, y), got {type(batch).__name__}; leave them "
            "out of callbacks, or derive the data from TensorDataModule."
        )
    return batch[0], batch[1]


def _require_labels(y: Tensor) -> None:
    if y.is_floating_point():
        raise UserError(
            "figures of a classifier need class labels, got real-valued targets; "
            "use callbacks=[predictions] for regression."
        )


def data_of(trainer: pl.Trainer) -> Any:
    """The data module, or None."""
    return trainer.datamodule  # type: ignore[attr-defined]
