"""The base modules' shared part: steps, metrics, optimizer and hyperparameters live here once.

A classifier builds its layers and defines ``forward(x) -> logits``; nothing else is needed. What
predicts numbers derives from ``lightning_hpo.models.regression.BaseRegressor`` in the same way.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler
from torchmetrics import Metric
from torchmetrics.classification import MulticlassAccuracy

from lightning_hpo.data.loader import Minibatches, StepsPerCall, steps_per_call
from lightning_hpo.errors import UserError
from lightning_hpo.flavour import pl
from lightning_hpo.models.class_weights import ClassWeights, balanced, require_weights
from lightning_hpo.models.distillation import Distillation
from lightning_hpo.models.extra_metrics import ExtraMetrics, require_known
from lightning_hpo.models.minibatches import MinibatchLoop
from lightning_hpo.models.row_weights import (
    require_own_losses,
    unweighted,
    weighted_cross_entropy,
)

OptimizerFactory = Callable[[Iterable[nn.Parameter]], Optimizer]
# How a network is trained, which a checkpoint of it does not need.
NOT_STORED = ["optimizer", "scheduler", "steps_per_call", "cuda_graph", "distillation"]
NOT_STORED += ["class_weights", "extra_metrics"]

SchedulerFactory = Callable[..., LRScheduler]  # of an optimizer and total_steps
TrainingBatch = tuple[Tensor, Tensor] | tuple[Tensor, Tensor, Tensor]  # perhaps with weights (B,)
Batch = tuple[Tensor, Tensor]  # inputs (B, ...) float, labels (B,) int64 or targets (B,) float


class BaseModule(pl.LightningModule):
    """The loop around a loss: logs ``<stage>/<metric>`` of each stage once per epoch.

    ``metrics`` makes the metrics of a stage from its name. A subclass defines ``forward`` and
    ``loss``, and ``training_loss`` where the training loss differs from the one that is evaluated.

    ``scheduler(optimizer, total_steps=...)`` gives a learning-rate schedule that follows each
    optimizer step; None: a constant rate. ``steps_per_call`` above 1 or "epoch" trains on so many
    minibatches in one ``training_step`` (see minibatches.py), ``cuda_graph`` as captured CUDA
    graphs.
    """

    def __init__(
        self,
        *,
        metrics: "Callable[[str], StageMetrics]",
        optimizer: OptimizerFactory | None,
        scheduler: SchedulerFactory | None = None,
        steps_per_call: StepsPerCall = 1,
        cuda_graph: bool = False,
    ) -> None:
        super().__init__()
        self.make_optimizer = optimizer or default_optimizer
        self.make_scheduler = scheduler
        self.steps_per_call = steps_per_call
        self.minibatches = MinibatchLoop(steps_per_call, cuda_graph=cuda_graph)
        self.automatic_optimization = steps_per_call == 1
        self.train_metrics = metrics("train")
        self.val_metrics = metrics("val")
        self.test_metrics = metrics("test")

    def loss(self, outputs: Tensor, y: Tensor) -> Tensor:
        """The mean loss of a batch."""
        raise NotImplementedError

    def training_loss(self, outputs: Tensor, y: Tensor) -> Tensor:
        return self.loss(outputs, y)

    def fitted_loss(self, x: Tensor, outputs: Tensor, y: Tensor) -> Tensor:
        """What a training step minimises, for a loss that looks at the inputs too."""
        return self.training_loss(outputs, y)

    def weighted_loss(self, outputs: Tensor, y: Tensor, weights: Tensor) -> Tensor:
        """What a training step minimises where samples weigh (B,), each as if so often there."""
        raise NotImplementedError

    def require_weights_known(self) -> None:
        """Raise :class:`UserError` for a module whose training loss weighs no samples."""
        raise unweighted(self, "derive it from BaseClassifier or BaseRegressor")

    def evaluated(self, x: Tensor) -> Tensor:
        """The outputs that validation, test and prediction take."""
        outputs: Tensor = self(x)
        return outputs

    def configure_callbacks(self) -> list[pl.Callback]:
        # The first hook of a run, before Lightning refuses manual optimization in words of its own.
        self.minibatches.check(self.trainer)
        return []

    def configure_optimizers(self) -> Any:
        optimizer = self.make_optimizer(self.parameters())
        if self.make_scheduler is None:
            return optimizer
        schedule = self.make_scheduler(optimizer, total_steps=total_steps(self.trainer))
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }

    def on_fit_start(self) -> None:
        self.minibatches.start()

    def training_step(self, batch: TrainingBatch | Minibatches, batch_idx: int) -> Tensor | None:
        if not self.automatic_optimization:
            # A loader of the user's own hands over one minibatch.
            minibatches: Any = batch if isinstance(batch, Minibatches) else [batch]
            self.minibatches.run(self, minibatches)
            return None
        assert not isinstance(batch, Minibatches)
        x, y = batch[0], batch[1]
        outputs = self(x)
        if len(batch) == 3:
            loss = self.weighted_loss(outputs, y, batch[2])
        else:
            loss = self.fitted_loss(x, outputs, y)
        self.train_metrics.update(loss, outputs, y)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self._evaluate(batch, self.val_metrics)

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        self._evaluate(batch, self.test_metrics)

    def predict_step(self, batch: Batch | Tensor, batch_idx: int) -> Tensor:
        """What ``evaluated`` gives for a batch with or without labels."""
        return self.evaluated(batch if isinstance(batch, Tensor) else batch[0])

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
        outputs = self.evaluated(x)
        metrics.update(self.loss(outputs, y), outputs, y)

    def _log(self, metrics: "StageMetrics") -> None:
        # The values are reduced over ranks already; sync_dist only tells Lightning so.
        self.log_dict(metrics.compute(), sync_dist=True)


class BaseClassifier(BaseModule):
    """Cross-entropy classifier that logs ``<stage>/loss`` and ``<stage>/accuracy`` once per epoch.

    A subclass builds its layers and defines ``forward(x) -> logits`` of shape (B, K) for labels
    (B,) int64. Its own arguments are hyperparameters: a checkpoint holds them and opens without
    any. How the network is trained (``optimizer``, ``scheduler``, ``distillation``,
    ``class_weights``, ``steps_per_call``, ``cuda_graph``) and ``extra_metrics`` are not stored.

    Args:
        num_classes: K, at least 2.
        optimizer: from parameters to an optimizer, such as a partial of a torch class; None: Adam
            with a learning rate of 0.001.
        scheduler: from an optimizer and ``total_steps`` to a schedule of the learning rate, which
            follows each optimizer step; None: a constant rate.
        label_smoothing: in [0, 1) (Szegedy et al. 2016, arXiv:1512.00567), of the training loss
            alone, so that val/loss and test/loss stay comparable between trials.
        test_time_flip: classify an image (..., H, W) by the mean logits of it and its mirror image.
        distillation: a teacher's outputs are part of the training loss; None: the labels alone.
        class_weights: K weights in the training loss alone; "balanced": each class weighs as much
            as any other, by the data module's ``class_counts``; None: each sample does.
        extra_metrics: of "balanced_accuracy", "auroc" and "f1", means over the classes, what
            validation and test log too.
        steps_per_call: minibatches that one ``training_step`` trains on, at least 1, or "epoch".
        cuda_graph: train on them as captured CUDA graphs.

    Raises:
        UserError: for an argument outside its range.
    """

    def __init__(
        self,
        *,
        num_classes: int,
        optimizer: OptimizerFactory | None = None,
        scheduler: SchedulerFactory | None = None,
        label_smoothing: float = 0.0,
        test_time_flip: bool = False,
        distillation: Distillation | None = None,
        class_weights: ClassWeights = None,
        extra_metrics: Sequence[str] = (),
        steps_per_call: StepsPerCall = 1,
        cuda_graph: bool = False,
    ) -> None:
        require_integer("num_classes", num_classes, low=2)
        require_fraction("label_smoothing", label_smoothing)
        weights, extra = require_weights(class_weights, num_classes), require_known(extra_metrics)
        super().__init__(
            metrics=lambda stage: ClassificationMetrics(
                stage, num_classes, () if stage == "train" else extra
            ),
            optimizer=optimizer,
            scheduler=scheduler,
            steps_per_call=steps_per_call,
            cuda_graph=cuda_graph,
        )
        # Collects the arguments of the subclass too, with the values its locals have by now.
        self.save_hyperparameters(ignore=NOT_STORED)
        self.label_smoothing = label_smoothing
        self.test_time_flip = test_time_flip
        self.distillation = distillation
        self.class_weights = class_weights
        self.weights_k = weights

    def on_fit_start(self) -> None:
        super().on_fit_start()
        if self.distillation is not None:
            self.distillation.to(self.device)
        if self.class_weights == "balanced":
            self.weights_k = balanced(self.trainer.datamodule)  # type: ignore[attr-defined]
        if self.weights_k is not None:
            self.weights_k = self.weights_k.to(self.device)

    def evaluated(self, x: Tensor) -> Tensor:
        outputs = super().evaluated(x)
        return (outputs + self(x.flip(-1))) / 2 if self.test_time_flip else outputs

    def loss(self, outputs: Tensor, y: Tensor) -> Tensor:
        """Mean cross-entropy of logits (B, K) for labels (B,), as validation and test log it."""
        # Logits of a mixed precision have too few digits for a sum of exponentials.
        return F.cross_entropy(outputs.float(), y)

    def training_loss(self, outputs: Tensor, y: Tensor) -> Tensor:
        """That with ``label_smoothing`` and ``class_weights``, which a training step minimises."""
        smoothing = self.label_smoothing
        return F.cross_entropy(outputs.float(), y, self.weights_k, label_smoothing=smoothing)

    def weighted_loss(self, outputs: Tensor, y: Tensor, weights: Tensor) -> Tensor:
        smoothing = self.label_smoothing
        return weighted_cross_entropy(outputs, y, weights, self.weights_k, smoothing)

    def require_weights_known(self) -> None:
        if self.distillation is not None:
            raise unweighted(self, "use model.distillation=null")
        require_own_losses(self, BaseClassifier)

    def fitted_loss(self, x: Tensor, outputs: Tensor, y: Tensor) -> Tensor:
        loss = super().fitted_loss(x, outputs, y)
        if self.distillation is None:
            return loss
        with torch.no_grad():
            logits = as_evaluated(self.distillation.teacher)(x)
        return self.distillation(logits, outputs, loss)


def as_evaluated(module: nn.Module) -> Callable[[Tensor], Tensor]:
    """What gives a module's outputs that count: its own way to evaluate, else ``forward``."""
    return module.evaluated if isinstance(module, BaseModule) else module


class StageMetrics(nn.Module):
    """The loss of one stage over one epoch, accumulated on the device without a sync."""

    def __init__(self, stage: str) -> None:
        super().__init__()
        self.stage = stage
        self.loss = SampleMean()

    def update(self, loss: Tensor, outputs: Tensor, y: Tensor) -> None:
        self.loss.update(loss.detach(), len(y))

    def sums(self, loss: Tensor, outputs: Tensor, y: Tensor) -> Tensor:
        """What a batch adds, as sums over its samples (k,); may be captured in a CUDA graph."""
        return (loss.float() * len(y))[None]

    def add(self, sums: Tensor, n: int) -> None:
        """Count ``sums`` over n samples in; the same as ``update`` with each of their batches."""
        self.loss.update(sums[0] / n, n)

    def compute(self) -> dict[str, Tensor]:
        return {f"{self.stage}/loss": self.loss.compute()}

    def reset(self) -> None:
        self.loss.reset()


class ClassificationMetrics(StageMetrics):
    """Loss, accuracy and those that are asked for, which only ``update`` counts."""

    def __init__(self, stage: str, num_classes: int, extra: Sequence[str] = ()) -> None:
        super().__init__(stage)
        self.extra = ExtraMetrics(extra, num_classes)
        self.accuracy = MulticlassAccuracy(num_classes, average="micro", validate_args=False)

    def update(self, loss: Tensor, outputs: Tensor, y: Tensor) -> None:
        super().update(loss, outputs, y)
        self.accuracy.update(outputs.detach(), y)
        self.extra.update(outputs, y)

    def sums(self, loss: Tensor, outputs: Tensor, y: Tensor) -> Tensor:
        n_right = (outputs.argmax(1) == y).sum()
        return torch.stack((loss.float() * len(y), n_right.float()))

    def add(self, sums: Tensor, n: int) -> None:
        super().add(sums, n)
        # As predictions: so many samples right, the others wrong.
        right = torch.arange(n, device=sums.device) < sums[1]
        self.accuracy.update(right.long(), torch.ones_like(right, dtype=torch.long))

    def compute(self) -> dict[str, Tensor]:
        found = {"accuracy": self.accuracy.compute(), **self.extra.compute()}
        return super().compute() | {f"{self.stage}/{name}": of for name, of in found.items()}

    def reset(self) -> None:
        super().reset()
        self.accuracy.reset()
        self.extra.reset()


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


def total_steps(trainer: pl.Trainer) -> int:
    """Optimizer steps of the whole fit; loads the training data if they are not loaded yet."""
    calls = trainer.estimated_stepping_batches
    if not 0 < calls < float("inf"):
        raise UserError(
            "a schedule must know the length of the fit, got trainer.max_epochs="
            f"{trainer.max_epochs}; set trainer.max_epochs or use scheduler=none."
        )
    loader: Any = trainer.train_dataloader
    if steps_per_call(loader) == 1:
        return int(calls)
    assert trainer.max_epochs is not None
    return loader.n_minibatches * max(trainer.max_epochs, 1)


def default_optimizer(parameters: Iterable[nn.Parameter]) -> Optimizer:
    return torch.optim.Adam(parameters, lr=1e-3)


def image_shape(shape: Sequence[int]) -> tuple[int, int, int]:
    """``shape`` as a plain tuple (C, H, W), from any sequence (a list in YAML, a torch.Size)."""
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
