"""The fully connected classifier: two hidden layers on flattened images."""

import math
from collections.abc import Sequence

from torch import Tensor, nn

from lightning_hpo.data.loader import StepsPerCall
from lightning_hpo.models.base import (
    BaseClassifier,
    OptimizerFactory,
    SchedulerFactory,
    image_shape,
    require_fraction,
    require_integer,
)
from lightning_hpo.models.class_weights import ClassWeights
from lightning_hpo.models.distillation import Distillation
from lightning_hpo.models.init import Scheme, initialise


class FCClassifier(BaseClassifier):
    """Flatten, then twice (linear, ReLU, dropout), then the output layer.

    Images (N, C, H, W) float -> logits (N, K) float.

    Args:
        input_shape: (C, H, W), each at least 1.
        num_classes: K, at least 2.
        neurons_1: width of the first hidden layer, at least 1.
        neurons_2: width of the second one, at least 1.
        dropout: share of the hidden units that a training step drops, in [0, 1).
        batch_norm: normalise after each hidden linear layer, before the ReLU.
        init: how weights are drawn: "kaiming" (He et al. 2015, arXiv:1502.01852), "xavier" (Glorot
            and Bengio 2010) or "default" (PyTorch's own).
        label_smoothing: as in ``BaseClassifier``.
        test_time_flip: as in ``BaseClassifier``.
        distillation: as in ``BaseClassifier``.
        class_weights: as in ``BaseClassifier``.
        extra_metrics: as in ``BaseClassifier``.
        optimizer: as in ``BaseClassifier``.
        scheduler: as in ``BaseClassifier``.
        steps_per_call: as in ``BaseClassifier``.
        cuda_graph: as in ``BaseClassifier``.

    Raises:
        UserError: for an argument outside its range.
    """

    def __init__(
        self,
        *,
        input_shape: Sequence[int] = (1, 28, 28),
        num_classes: int = 10,
        neurons_1: int = 256,
        neurons_2: int = 128,
        dropout: float = 0.0,
        batch_norm: bool = False,
        init: Scheme = "kaiming",
        label_smoothing: float = 0.0,
        test_time_flip: bool = False,
        distillation: Distillation | None = None,
        class_weights: ClassWeights = None,
        extra_metrics: Sequence[str] = (),
        optimizer: OptimizerFactory | None = None,
        scheduler: SchedulerFactory | None = None,
        steps_per_call: StepsPerCall = 1,
        cuda_graph: bool = False,
    ) -> None:
        input_shape = image_shape(input_shape)  # rebound, so that checkpoints hold a plain tuple
        super().__init__(
            num_classes=num_classes,
            optimizer=optimizer,
            scheduler=scheduler,
            label_smoothing=label_smoothing,
            test_time_flip=test_time_flip,
            distillation=distillation,
            class_weights=class_weights,
            extra_metrics=extra_metrics,
            steps_per_call=steps_per_call,
            cuda_graph=cuda_graph,
        )
        self.classifier = dense_stack(
            math.prod(input_shape),
            neurons_1,
            neurons_2,
            num_classes,
            dropout=dropout,
            batch_norm=batch_norm,
        )
        initialise(self, init)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, num_classes) of images (N, C, H, W)."""
        logits: Tensor = self.classifier(x)
        return logits


def dense_stack(
    inputs: int,
    neurons_1: int,
    neurons_2: int,
    outputs: int,
    *,
    dropout: float,
    batch_norm: bool = False,
) -> nn.Sequential:
    """Flatten and two hidden layers, each with ReLU and dropout, and the output layer."""
    require_integer("neurons_1", neurons_1, low=1)
    require_integer("neurons_2", neurons_2, low=1)
    require_fraction("dropout", dropout)
    layers: list[nn.Module] = [nn.Flatten()]
    for size, neurons in ((inputs, neurons_1), (neurons_1, neurons_2)):
        # The normalisation subtracts any bias again.
        layers.append(nn.Linear(size, neurons, bias=not batch_norm))
        layers += [nn.BatchNorm1d(neurons)] if batch_norm else []
        layers += [nn.ReLU(), nn.Dropout(dropout)]
    return nn.Sequential(*layers, nn.Linear(neurons_2, outputs))
