"""Fully connected networks on rows, any number of hidden layers deep: numbers, or classes.

``MLP`` is what a configuration names: it makes the one that the data ask for.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lightning_hpo.data.loader import Minibatches, StepsPerCall
from lightning_hpo.errors import UserError
from lightning_hpo.models.base import (
    BaseClassifier,
    OptimizerFactory,
    SchedulerFactory,
    TrainingBatch,
)
from lightning_hpo.models.class_weights import ClassWeights
from lightning_hpo.models.dense import dense_layers, hidden_widths, plain_neurons, row_shape
from lightning_hpo.models.distillation import Distillation
from lightning_hpo.models.embeddings import (
    CategoryEmbeddings,
    embeddings_of,
    plain_cardinalities,
)
from lightning_hpo.models.init import Scheme, initialise
from lightning_hpo.models.regression import BaseRegressor
from lightning_hpo.models.target_scale import in_units, plain_scale

# Arguments that a classifier alone has, and the values with which they say nothing.
_OF_CLASSES: Mapping[str, Any] = {
    "label_smoothing": 0.0,
    "distillation": None,
    "class_weights": None,
    "extra_metrics": (),
    "steps_per_call": 1,
    "cuda_graph": False,
}


class MLPRegressor(BaseRegressor):
    """Per hidden layer (linear, ReLU, dropout), then one output.

    Rows (N, I) float -> predictions (N,) float, in the units of the target. ``widths`` are the
    hidden widths in use, ``network`` is the whole network behind the ``embeddings``, which are None
    for rows without categories.

    Args:
        input_shape: (I,), the number of inputs, at least 1.
        neurons: widths of the hidden layers, each at least 1, as a sequence or as a mapping whose
            values stand in their order ({layer_1: 64, layer_2: 64}: each width is a key that can
            be searched).
        depth: take the first so many of them, from 1 to all, so that the number of layers can be
            searched too; None: all.
        cardinalities: of each categorical column, which are the last ones, how many codes it has;
            code 0 is an unseen or missing category (see ``CategoryEmbeddings``).
        embedding_dim: length of the vector of a category, at least 1; None: by its column's
            cardinality K, min(50, (K + 1) // 2).
        dropout: share of the hidden units that a training step drops, in [0, 1).
        init: how weights are drawn: "kaiming" (He et al. 2015, arXiv:1502.01852), "xavier" (Glorot
            and Bengio 2010) or "default" (PyTorch's own).
        target_scale: mean and standard deviation of the targets, in whose units the network's
            output is brought; gradients are those of squared errors in units of the latter, so that
            usual learning rates fit, while logged losses stay in those of the target. None: the
            output as it is.
        optimizer: as in ``BaseRegressor``.
        scheduler: as in ``BaseRegressor``.
        **of_classes: arguments of ``MLPClassifier`` with their defaults, since a configuration may
            be of either; others are refused.

    Raises:
        UserError: for an argument outside its range.

    Examples:
        >>> network = MLPRegressor(input_shape=(3,), neurons=(16, 8), depth=1)
        >>> network.widths, network(torch.zeros(4, 3)).shape
        ((16,), torch.Size([4]))
    """

    def __init__(
        self,
        *,
        input_shape: Sequence[int] = (1,),
        neurons: Sequence[int] | Mapping[str, int] = (64, 64),
        depth: int | None = None,
        cardinalities: Sequence[int] = (),
        embedding_dim: int | None = None,
        dropout: float = 0.0,
        init: Scheme = "kaiming",
        target_scale: Sequence[float] | None = None,
        optimizer: OptimizerFactory | None = None,
        scheduler: SchedulerFactory | None = None,
        **of_classes: Any,
    ) -> None:
        for name, value in of_classes.items():
            _refuse(name, value)
        of_classes.clear()  # nothing that a checkpoint should hold
        # Rebound, so that checkpoints hold plain values.
        input_shape = row_shape(input_shape)
        neurons = plain_neurons(neurons)
        cardinalities = plain_cardinalities(cardinalities, input_shape[0])
        target_scale = plain_scale(target_scale)
        super().__init__(optimizer=optimizer, scheduler=scheduler)
        self.target_scale = target_scale
        self.widths = hidden_widths(neurons, depth)
        self.dropout = dropout
        self.embeddings = embeddings_of(cardinalities, embedding_dim)
        inputs = _width(input_shape[0], self.embeddings)
        self.network = dense_layers(inputs, self.widths, dropout=dropout)
        initialise(self, init)

    def forward(self, x: Tensor) -> Tensor:
        """Predictions (N,) of rows (N, I)."""
        predictions: Tensor = self.network(x if self.embeddings is None else self.embeddings(x))
        return in_units(predictions.squeeze(1), self.target_scale)

    def training_step(self, batch: TrainingBatch | Minibatches, batch_idx: int) -> Tensor | None:
        loss = super().training_step(batch, batch_idx)
        if loss is None or self.target_scale is None:
            return loss
        return loss / self.target_scale[1] ** 2

    @property
    def last_hidden(self) -> str:
        """The dotted name of the last hidden layer's ReLU, for hooks."""
        relus = [n for n, layer in self.named_modules() if isinstance(layer, nn.ReLU)]
        return relus[-1]


class MLPClassifier(BaseClassifier):
    """Per hidden layer (linear, ReLU, dropout), then one output for each class.

    Rows (N, I) float -> logits (N, K) float. ``widths``, ``network``, ``embeddings``: as in
    ``MLPRegressor``.

    Args:
        input_shape: as in ``MLPRegressor``.
        num_classes: K, at least 2.
        neurons: as in ``MLPRegressor``.
        depth: as in ``MLPRegressor``.
        cardinalities: as in ``MLPRegressor``.
        embedding_dim: as in ``MLPRegressor``.
        dropout: as in ``MLPRegressor``.
        init: as in ``MLPRegressor``.
        label_smoothing: as in ``BaseClassifier``.
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
        input_shape: Sequence[int] = (1,),
        num_classes: int = 2,
        neurons: Sequence[int] | Mapping[str, int] = (64, 64),
        depth: int | None = None,
        cardinalities: Sequence[int] = (),
        embedding_dim: int | None = None,
        dropout: float = 0.0,
        init: Scheme = "kaiming",
        label_smoothing: float = 0.0,
        distillation: Distillation | None = None,
        class_weights: ClassWeights = None,
        extra_metrics: Sequence[str] = (),
        optimizer: OptimizerFactory | None = None,
        scheduler: SchedulerFactory | None = None,
        steps_per_call: StepsPerCall = 1,
        cuda_graph: bool = False,
    ) -> None:
        # Rebound, so that checkpoints hold plain values.
        input_shape = row_shape(input_shape)
        neurons = plain_neurons(neurons)
        cardinalities = plain_cardinalities(cardinalities, input_shape[0])
        super().__init__(
            num_classes=num_classes,
            optimizer=optimizer,
            scheduler=scheduler,
            label_smoothing=label_smoothing,
            distillation=distillation,
            class_weights=class_weights,
            extra_metrics=extra_metrics,
            steps_per_call=steps_per_call,
            cuda_graph=cuda_graph,
        )
        self.widths = hidden_widths(neurons, depth)
        self.embeddings = embeddings_of(cardinalities, embedding_dim)
        inputs = _width(input_shape[0], self.embeddings)
        self.network = dense_layers(inputs, self.widths, dropout=dropout, outputs=num_classes)
        initialise(self, init)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, num_classes) of rows (N, I)."""
        logits: Tensor = self.network(x if self.embeddings is None else self.embeddings(x))
        return logits


class MLP:
    """An ``MLPClassifier`` where the data have classes, else an ``MLPRegressor``.

    Args:
        input_shape: as in ``MLPRegressor``.
        num_classes: how many classes the targets have; 0 or None: they are numbers.
        neurons: as in ``MLPRegressor``.
        depth: as in ``MLPRegressor``.
        cardinalities: as in ``MLPRegressor``.
        embedding_dim: as in ``MLPRegressor``.
        dropout: as in ``MLPRegressor``.
        init: as in ``MLPRegressor``.
        target_scale: as in ``MLPRegressor``; a classifier refuses it.
        label_smoothing: as in ``BaseClassifier``; a regressor refuses it.
        distillation: as in ``BaseClassifier``; a regressor refuses it.
        class_weights: as in ``BaseClassifier``; a regressor refuses it.
        extra_metrics: as in ``BaseClassifier``; a regressor refuses it.
        optimizer: as in ``BaseRegressor``.
        scheduler: as in ``BaseRegressor``.
        steps_per_call: as in ``BaseClassifier``; a regressor refuses it.
        cuda_graph: as in ``BaseClassifier``; a regressor refuses it.

    Raises:
        UserError: for an argument outside its range.

    Examples:
        >>> type(MLP(input_shape=(3,), num_classes=2)).__name__
        'MLPClassifier'
        >>> type(MLP(input_shape=(3,))).__name__
        'MLPRegressor'
    """

    def __new__(  # type: ignore[misc]
        cls,
        *,
        input_shape: Sequence[int] = (1,),
        num_classes: int | None = None,
        neurons: Sequence[int] | Mapping[str, int] = (64, 64),
        depth: int | None = None,
        cardinalities: Sequence[int] = (),
        embedding_dim: int | None = None,
        dropout: float = 0.0,
        init: Scheme = "kaiming",
        target_scale: Sequence[float] | None = None,
        label_smoothing: float = 0.0,
        distillation: Distillation | None = None,
        class_weights: ClassWeights = None,
        extra_metrics: Sequence[str] = (),
        optimizer: OptimizerFactory | None = None,
        scheduler: SchedulerFactory | None = None,
        steps_per_call: StepsPerCall = 1,
        cuda_graph: bool = False,
    ) -> MLPRegressor | MLPClassifier:
        given = {
            name: value for name, value in locals().items() if name not in ("cls", "num_classes")
        }
        if num_classes:
            _refuse_scale(given.pop("target_scale"))
            return MLPClassifier(num_classes=num_classes, **given)
        return MLPRegressor(**given)

    @classmethod
    def load_from_checkpoint(
        cls, checkpoint_path: str | Path, map_location: Any = None, **options: Any
    ) -> MLPRegressor | MLPClassifier:
        """The one whose checkpoint it is; ``options``: as in Lightning's own."""
        trusted = not options.get("weights_only")
        stored = torch.load(checkpoint_path, map_location="cpu", weights_only=not trusted)
        of_classes = "num_classes" in stored.get("hyper_parameters", {})
        kind = MLPClassifier if of_classes else MLPRegressor
        return kind.load_from_checkpoint(checkpoint_path, map_location, **options)


def _refuse(name: str, value: Any) -> None:
    if name not in _OF_CLASSES:
        raise TypeError(f"MLPRegressor got an unexpected keyword argument '{name}'")
    if value and value != _OF_CLASSES[name]:
        raise UserError(
            f"{name} is for classes, but the data's targets are numbers, got {name}={value}; leave"
            " it out, or use data whose targets are classes."
        )


def _refuse_scale(scale: Sequence[float] | None) -> None:
    if scale is not None:
        raise UserError(
            f"target_scale is for numbers, but the data's targets are classes, got {scale};"
            " leave it out."
        )


def _width(inputs: int, embeddings: CategoryEmbeddings | None) -> int:
    """Columns of a row as they enter the first layer."""
    return inputs if embeddings is None else embeddings.width(inputs)
