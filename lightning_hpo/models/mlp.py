"""The fully connected regressor of the reference study: any number of hidden layers."""

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from lightning_hpo.errors import UserError
from lightning_hpo.models.base import (
    OptimizerFactory,
    SchedulerFactory,
    require_fraction,
    require_integer,
)
from lightning_hpo.models.init import Scheme, initialise
from lightning_hpo.models.regression import BaseRegressor


class MLPRegressor(BaseRegressor):
    """Per hidden layer (linear, ReLU, dropout), then one output.

    Rows (N, I) float -> predictions (N,) float, in the units of the target. ``widths`` are the
    hidden widths in use, ``network`` is the whole network.

    Args:
        input_shape: (I,), the number of inputs, at least 1.
        neurons: widths of the hidden layers, each at least 1, as a sequence or as a mapping whose
            values stand in their order ({layer_1: 64, layer_2: 64}: each width is a key that can
            be searched).
        depth: take the first so many of them, from 1 to all, so that the number of layers can be
            searched too; None: all.
        dropout: share of the hidden units that a training step drops, in [0, 1).
        init: how weights are drawn: "kaiming", "xavier" or "default" (PyTorch's own).
        optimizer, scheduler: as in ``BaseRegressor``.

    Raises :class:`UserError` for an argument outside its range.
    """

    def __init__(
        self,
        *,
        input_shape: Sequence[int] = (1,),
        neurons: Sequence[int] | Mapping[str, int] = (64, 64),
        depth: int | None = None,
        dropout: float = 0.0,
        init: Scheme = "kaiming",
        optimizer: OptimizerFactory | None = None,
        scheduler: SchedulerFactory | None = None,
    ) -> None:
        # Rebound, so that checkpoints hold plain values.
        input_shape = row_shape(input_shape)
        neurons = plain_neurons(neurons)
        super().__init__(optimizer=optimizer, scheduler=scheduler)
        self.widths = hidden_widths(neurons, depth)
        self.dropout = dropout
        self.network = dense_layers(input_shape[0], self.widths, dropout=dropout)
        initialise(self, init)

    def forward(self, x: Tensor) -> Tensor:
        """Predictions (N,) of rows (N, I)."""
        predictions: Tensor = self.network(x)
        return predictions.squeeze(1)

    @property
    def last_hidden(self) -> str:
        """The dotted name of the last hidden layer's ReLU, for hooks."""
        relus = [n for n, layer in self.named_modules() if isinstance(layer, nn.ReLU)]
        return relus[-1]


def dense_layers(inputs: int, widths: Sequence[int], *, dropout: float) -> nn.Sequential:
    """(N, inputs) -> (N, 1)."""
    require_fraction("dropout", dropout)
    layers: list[nn.Module] = []
    for width in widths:
        layers += [nn.Linear(inputs, width), nn.ReLU(), nn.Dropout(dropout)]
        inputs = width
    return nn.Sequential(*layers, nn.Linear(inputs, 1))


def hidden_widths(neurons: Sequence[int] | Mapping[str, int], depth: int | None) -> tuple[int, ...]:
    """The widths of the first ``depth`` hidden layers (None: of all)."""
    named = neurons if isinstance(neurons, Mapping) else dict(enumerate(neurons))
    for name, width in named.items():
        require_integer(f"neurons[{name}]", width, low=1)
    if depth is None:
        return tuple(named.values())
    if not isinstance(depth, int) or not 1 <= depth <= len(named):
        raise UserError(
            f"depth must lie in [1, {len(named)}], since neurons has {len(named)} layers, "
            f"got depth={depth}; add layers to neurons or leave depth out (null)."
        )
    return tuple(named.values())[:depth]


def plain_neurons(
    neurons: Sequence[int] | Mapping[str, int],
) -> tuple[int, ...] | dict[str, int]:
    """``neurons`` as a tuple or a dict, from any sequence or mapping (a configuration's node)."""
    if isinstance(neurons, str) or not isinstance(neurons, Sequence | Mapping) or not neurons:
        raise UserError(
            "neurons must give at least one hidden layer its width, as a list [64, 64] or a "
            f"mapping {{layer_1: 64, layer_2: 64}}, got neurons={neurons}."
        )
    return dict(neurons) if isinstance(neurons, Mapping) else tuple(neurons)


def row_shape(shape: Sequence[int]) -> tuple[int]:
    """``shape`` as a plain tuple (I,), from any sequence (a list in YAML, a torch.Size)."""
    if len(shape) != 1 or not isinstance(shape[0], int) or shape[0] < 1:
        raise UserError(
            "input_shape must be one positive integer (inputs,), "
            f"got input_shape={list(shape)}; use data whose samples are rows of numbers."
        )
    return (shape[0],)
