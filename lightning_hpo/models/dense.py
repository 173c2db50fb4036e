"""Fully connected layers of rows, and the arguments that say how many there are and how wide."""

from collections.abc import Mapping, Sequence

from torch import nn

from lightning_hpo.errors import UserError
from lightning_hpo.models.base import require_fraction, require_integer


def dense_layers(
    inputs: int, widths: Sequence[int], *, dropout: float, outputs: int = 1
) -> nn.Sequential:
    """(N, inputs) -> (N, outputs)."""
    require_fraction("dropout", dropout)
    layers: list[nn.Module] = []
    for width in widths:
        layers += [nn.Linear(inputs, width), nn.ReLU(), nn.Dropout(dropout)]
        inputs = width
    return nn.Sequential(*layers, nn.Linear(inputs, outputs))


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
            f"got input_shape={list(shape)}; use data whose samples are rows of numbers, or for"
            " images model=fc."
        )
    return (shape[0],)
