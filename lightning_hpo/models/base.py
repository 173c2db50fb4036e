"""The base classifier: step, metrics, optimizer and hyperparameters live here once.

A subclass builds its layers and defines `forward(x) -> logits`; nothing else is needed.
"""

from collections.abc import Callable, Iterable, Sequence

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer
from torchmetrics import Metric
from torchmetrics.classification import MulticlassAccuracy

from lightning_hpo.errors import UserError

OptimizerFactory = Callable[[Iterable[nn.Parameter]], Optimizer]
Batch = tuple[Tensor, Tensor]  # images (B, C, H, W) float, labels (B,) int64


class BaseClassifier(pl.LightningModule):
    """Cross-entropy classifier that logs `<stage>/loss` and `<stage>/accuracy` once per epoch.

    Label smoothing applies to the training loss alone, so that val/loss and test/loss stay
    comparable between trials that smooth differently. `optimizer` maps parameters to an optimizer
    (a partial of a torch class; Adam with lr 0.001 if None) and is not stored in checkpoints.
    """

    def __init__(
        self,
        *,
        num_classes: int,
        optimizer: OptimizerFactory | None = None,
        label_smoothing: float = 0.0,
    ) -> None:
        require_integer("num_classes", num_classes, low=2)
        require_fraction("label_smoothing", label_smoothing)
        super().__init__()
        # Collects the arguments of the subclass too, with the values its locals have by now.
        self.save_hyperparameters(ignore=["optimizer"])
        self.label_smoothing = label_smoothing
        self.make_optimizer = optimizer or default_optimizer
        self.train_metrics = StageMetrics("train", num_classes)
        self.val_metrics = StageMetrics("val", num_classes)
        self.test_metrics = StageMetrics("test", num_classes)

    def configure_optimizers(self) -> Optimizer:
        return self.make_optimizer(self.parameters())

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        x, y = batch
        logits = self(x)
        loss = F.cross_entropy(logits, y, label_smoothing=self.label_smoothing)
        self.train_metrics.update(loss, logits, y)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self._evaluate(batch, self.val_metrics)

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        self._evaluate(batch, self.test_metrics)

    def predict_step(self, batch: Batch | Tensor, batch_idx: int) -> Tensor:
        """Logits (B, num_classes) of a batch with or without labels."""
        x = batch if isinstance(batch, Tensor) else batch[0]
        logits: Tensor = self(x)
        return logits

    def on_train_epoch_start(self) -> None:
        self.train_metrics.reset()

    def on_train_epoch_end(self) -> None:
        self._log(self.train_metrics)

    def on_validation_epoch_start(self) -> None:
        self.val_metrics.reset()

    def on_validation_epoch_end(self) -> None:
        self._log(self.val_metrics)

    def on_test_epoch_start(self) -> None:
        self.test_metrics.reset()

    def on_test_epoch_end(self) -> None:
        self._log(self.test_metrics)

    def _evaluate(self, batch: Batch, metrics: "StageMetrics") -> None:
        x, y = batch
        logits = self(x)
        metrics.update(F.cross_entropy(logits, y), logits, y)

    def _log(self, metrics: "StageMetrics") -> None:
        # The values are reduced over ranks already; sync_dist only tells Lightning so.
        self.log_dict(metrics.compute(), sync_dist=True)


class StageMetrics(nn.Module):
    """Loss and accuracy of one stage over one epoch, accumulated on the device without a sync."""

    def __init__(self, stage: str, num_classes: int) -> None:
        super().__init__()
        self.stage = stage
        self.loss = SampleMean()
        self.accuracy = MulticlassAccuracy(num_classes, average="micro", validate_args=False)

    def update(self, loss: Tensor, logits: Tensor, y: Tensor) -> None:
        self.loss.update(loss.detach(), len(y))
        self.accuracy.update(logits.detach(), y)

    def compute(self) -> dict[str, Tensor]:
        return {
            f"{self.stage}/loss": self.loss.compute(),
            f"{self.stage}/accuracy": self.accuracy.compute(),
        }

    def reset(self) -> None:
        self.loss.reset()
        self.accuracy.reset()


class SampleMean(Metric):
    """Mean over samples of a quantity given as batch means; a NaN stays a NaN.

    torchmetrics' MeanMetric either waits for the device to look for NaN, or (with
    nan_strategy="disable", torchmetrics 1.9) ignores the weights.
    """

    full_state_update = False
    total: Tensor
    count: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("total", torch.tensor(0.0), dist_reduce_fx="sum")
        self.add_state("count", torch.tensor(0), dist_reduce_fx="sum")

    def update(self, mean: Tensor, n: int) -> None:
        self.total += mean * n
        self.count += n

    def compute(self) -> Tensor:
        return self.total / self.count


def default_optimizer(parameters: Iterable[nn.Parameter]) -> Optimizer:
    return torch.optim.Adam(parameters, lr=1e-3)


def image_shape(shape: Sequence[int]) -> tuple[int, int, int]:
    """`shape` as a plain tuple (C, H, W), from any sequence (a list in YAML, a torch.Size)."""
    if len(shape) != 3 or not all(isinstance(size, int) and size > 0 for size in shape):
        raise UserError(
            "input_shape must be three positive integers (channels, height, width), "
            f"got input_shape={list(shape)}."
        )
    channels, height, width = shape
    return channels, height, width


def require_integer(name: str, value: int, *, low: int) -> None:
    if not isinstance(value, int) or value < low:
        raise UserError(f"{name} must be an integer of at least {low}, got {name}={value}.")


def require_fraction(name: str, value: float) -> None:
    if not isinstance(value, int | float) or not 0 <= value < 1:
        raise UserError(f"{name} must lie in [0, 1), got {name}={value}.")
