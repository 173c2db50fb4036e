"""The fully connected classifier: two hidden layers on flattened images."""

import math
from collections.abc import Sequence

from torch import Tensor, nn

from lightning_hpo.models.base import (
    BaseClassifier,
    OptimizerFactory,
    image_shape,
    require_fraction,
    require_integer,
)
from lightning_hpo.models.init import Scheme, initialise


class FCClassifier(BaseClassifier):
    """Flatten, then twice (linear, ReLU, dropout), then the output layer."""

    def __init__(
        self,
        *,
        input_shape: Sequence[int] = (1, 28, 28),
        num_classes: int = 10,
        neurons_1: int = 256,
        neurons_2: int = 128,
        dropout: float = 0.0,
        init: Scheme = "kaiming",
        label_smoothing: float = 0.0,
        optimizer: OptimizerFactory | None = None,
    ) -> None:
        input_shape = image_shape(input_shape)  # rebound, so that checkpoints hold a plain tuple
        super().__init__(
            num_classes=num_classes, optimizer=optimizer, label_smoothing=label_smoothing
        )
        self.classifier = dense_stack(
            math.prod(input_shape), neurons_1, neurons_2, num_classes, dropout=dropout
        )
        initialise(self, init)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, num_classes) of images (N, C, H, W)."""
        logits: Tensor = self.classifier(x)
        return logits


def dense_stack(
    inputs: int, neurons_1: int, neurons_2: int, outputs: int, *, dropout: float
) -> nn.Sequential:
    """Flatten and two hidden layers, each with ReLU and dropout, and the output layer."""
    require_integer("neurons_1", neurons_1, low=1)
    require_integer("neurons_2", neurons_2, low=1)
    require_fraction("dropout", dropout)
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(inputs, neurons_1),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Linear(neurons_1, neurons_2),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Linear(neurons_2, outputs),
    )
