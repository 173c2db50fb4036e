"""Classifiers of one kind as one: their convolutions as one grouped convolution, and so on.

Shapes: S networks, N samples, (C, H, W) an image, I inputs of a row, F filters and W units of a
layer (the widest network's), K classes, P parameters.
"""

from collections.abc import Iterator, Mapping, Sequence
from math import prod
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lightning_hpo.stack.network import Masks

Layers = Sequence[nn.Module]
# The weights and biases of a layer of all networks: of a convolution (S, F, side, side, C) and
# (S, F), of a linear layer (S, I, W) and (S, 1, W).
_Views = tuple[Tensor, Tensor]

# What can be stacked, and the only values of what changes how a layer works.
_KNOWN: Mapping[type[nn.Module], Mapping[str, Any]] = {
    nn.Conv2d: {
        "padding": "same",
        "stride": (1, 1),
        "dilation": (1, 1),
        "groups": 1,
        "padding_mode": "zeros",
    },
    nn.MaxPool2d: {"return_indices": False},
    nn.ReLU: {},
    nn.Flatten: {"start_dim": 1, "end_dim": -1},
    nn.Linear: {},
    nn.Dropout: {},
}
KNOWN = ", ".join(kind.__name__ for kind in _KNOWN)


def unknown(layers: Layers) -> str | None:
    """What of a network cannot be stacked, in words; None: all of it can."""
    for layer in layers:
        if type(layer) not in _KNOWN:
            return type(layer).__name__
    for layer in layers:
        for name, only in _KNOWN[type(layer)].items():
            if getattr(layer, name) != only:
                return f"{type(layer).__name__} with {name}={getattr(layer, name)}"
        if isinstance(layer, nn.Conv2d | nn.Linear) and layer.bias is None:
            return f"{type(layer).__name__} with bias=False"
    return None


def kind_of(layers: Layers) -> str:
    """What networks must have in common to be one stack: all but widths and dropout."""
    return ", ".join(_kind(layer) for layer in layers)


def _kind(layer: nn.Module) -> str:
    if isinstance(layer, nn.Conv2d):
        return f"Conv2d {layer.kernel_size}"
    return repr(layer) if isinstance(layer, nn.MaxPool2d) else type(layer).__name__


def linear_widths(layers: Layers) -> list[int]:
    """The outputs of each linear layer."""
    return [layer.out_features for layer in layers if isinstance(layer, nn.Linear)]


class StackedLayers:
    """S networks of the same layers with all their parameters in one tensor ``flat`` (S, P).

    A network narrower than the widest is padded with zeros, which stay zero, since a ReLU follows
    every layer but the last one: a padded filter or unit puts out relu(0) = 0, and neither the
    weights into it nor those out of it ever get a gradient.
    """

    def __init__(self, networks: Sequence[Layers], *, device: torch.device) -> None:
        self._layers = list(networks[0])
        shapes = [[_shape(layer) for layer in _with_weights(layers)] for layers in networks]
        self._shapes = [_widest(of_layer) for of_layer in zip(*shapes, strict=True)]
        n_parameters = sum(prod(shape) + _outputs(shape) for shape in self._shapes)
        self.flat = torch.zeros(len(networks), n_parameters, device=device)
        self._view_parameters()
        for row, layers in enumerate(networks):
            for own, view in _parts(layers, self._views(self.flat[row : row + 1])):
                view.copy_(own.detach())

    @property
    def widths(self) -> list[int]:
        """Units of the widest network in each hidden linear layer."""
        return [_outputs(shape) for shape in self._shapes if len(shape) == 2][:-1]

    def copy_to(self, layers: Layers, row: int, flat: Tensor) -> None:
        """Write the parameters in ``row`` of ``flat`` into ``layers``, which were stacked."""
        with torch.no_grad():
            for own, view in _parts(layers, self._views(flat[row : row + 1])):
                own.copy_(view)

    def keep(self, rows: Tensor) -> None:
        """Drop all networks but ``rows``; the gradients are lost."""
        self.flat = self.flat[rows]
        self._view_parameters()

    def __call__(self, x: Tensor, masks: Masks = None) -> Tensor:
        """Logits (S, N, K) of images (S, N, C, H, W) or rows (S, N, I).

        ``masks``: of each hidden linear layer (S, N, W); None: nothing is dropped.
        """
        x = _side_by_side(x) if isinstance(self._layers[0], nn.Conv2d) else x.flatten(2)
        of_layers, dropped = iter(self._leaves), iter(masks or ())
        for layer in self._layers:
            if isinstance(layer, nn.Conv2d):
                x = _convolved(x, *next(of_layers))
            elif isinstance(layer, nn.Linear):
                weight, bias = next(of_layers)
                x = torch.baddbmm(bias, x, weight)
            elif isinstance(layer, nn.Flatten) and x.ndim == 4:
                x = x.reshape(len(x), len(self.flat), -1).transpose(0, 1)
            elif isinstance(layer, nn.Dropout):
                x = x if masks is None else x * next(dropped)
            elif isinstance(layer, nn.MaxPool2d | nn.ReLU):
                x = layer(x)
        return x

    def gradient(self, loss: Tensor) -> None:
        """Fill ``grad`` with the gradient of ``loss``, the sum of what each network minimises."""
        leaves = [part for layer in self._leaves for part in layer]
        views = [part for layer in self._grad_views for part in layer]
        for view, of in zip(views, torch.autograd.grad(loss, leaves), strict=True):
            view.copy_(of)

    def _view_parameters(self) -> None:
        self.grad = torch.zeros_like(self.flat)
        self._grad_views = self._views(self.grad)
        self._leaves = [
            (weight.detach().requires_grad_(), bias.detach().requires_grad_())
            for weight, bias in self._views(self.flat)
        ]

    def _views(self, flat: Tensor) -> list[_Views]:
        """Weights and biases of each layer in ``flat`` (S, P), without a copy."""
        found, start = [], 0
        for shape in self._shapes:
            end = start + prod(shape)
            weight = flat[:, start:end].view(len(flat), *shape)
            start = end + _outputs(shape)
            bias = flat[:, end:start]
            found.append((weight, bias if len(shape) == 4 else bias.unsqueeze(1)))
        return found


def _side_by_side(x: Tensor) -> Tensor:
    """(S, N, C, H, W) -> (N, S C, H, W), the memory layout that suits a convolution."""
    return x.transpose(0, 1).flatten(1, 2).contiguous(memory_format=torch.channels_last)


def _convolved(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    # Filters in the layout channels-last, as the images are: (S F, side, side, C) in memory.
    filters = weight.flatten(0, 1).permute(0, 3, 1, 2)
    return F.conv2d(x, filters, bias.flatten(), padding="same", groups=len(weight))


def _with_weights(layers: Layers) -> list[nn.Conv2d | nn.Linear]:
    return [layer for layer in layers if isinstance(layer, nn.Conv2d | nn.Linear)]


def _shape(layer: nn.Conv2d | nn.Linear) -> tuple[int, ...]:
    if isinstance(layer, nn.Linear):
        return layer.in_features, layer.out_features
    return layer.out_channels, *layer.kernel_size, layer.in_channels


def _outputs(shape: tuple[int, ...]) -> int:
    return shape[1] if len(shape) == 2 else shape[0]


def _widest(shapes: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    return tuple(max(sizes) for sizes in zip(*shapes, strict=True))


def _parts(layers: Layers, views: Sequence[_Views]) -> Iterator[tuple[Tensor, Tensor]]:
    """Each parameter of one network, and its place in the padded ``views`` of that network."""
    for layer, (weight, bias) in zip(_with_weights(layers), views, strict=True):
        if isinstance(layer, nn.Linear):
            n_out, n_in = layer.weight.shape
            yield layer.weight, weight[0, :n_in, :n_out].T
        else:
            n_out, n_in = layer.weight.shape[:2]
            yield layer.weight, weight[0, :n_out, :, :, :n_in].permute(0, 3, 1, 2)
        assert layer.bias is not None, "see unknown()"
        yield layer.bias, bias.flatten()[:n_out]
