"""The activation that follows a layer: its output is followed through a forward pass.

Which activation a layer feeds stands nowhere in a network: a ReLU may be a module or a function,
work in place, come behind a normalisation, a pooling or the sum of a residual block. So each torch
function is watched while the network runs, from the layer's output to the first activation.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from lightning_hpo.errors import UserError
from lightning_hpo.explain.attribution.capture import evaluating, find_layer
from lightning_hpo.explain.attribution.layers import require_conv

# Functions by name, without the underscores of those that work in place or are not public.
_ACTIVATION = re.compile(
    r"(r?re|ge?|[sc]?e|si|leaky_re|pre)lu|relu6|mish|(hard|log_?)?sigmoid|hard(swish|tanh|shrink)"
    r"|tanh|(tanh|soft)shrink|soft(plus|sign)|threshold|clamp(_min)?|clip"
)
# What comes between a layer and its activation and leaves a map a map: channels before pixels.
_CARRIER = re.compile(
    r"add|sub(tract)?|mul(tiply)?|div(ide)?|cat|concat(enate)?|clone|contiguous|to|type|float|pad"
    r"|interpolate|upsample|\w+_pool2d(_with_indices)?|\w*dropout(2d)?"
    r"|(batch|group|instance|layer|local_response)_norm"
)


@dataclass(frozen=True)
class Place:
    """Where in a network maps are taken.

    layer:      one of its layers, or the dotted name of one.
    activation: the function behind it whose output counts; None: the layer's own output does.
    """

    layer: str | nn.Module
    activation: str | None = None

    def __str__(self) -> str:
        name = self.layer if isinstance(self.layer, str) else type(self.layer).__name__
        if self.activation is None:
            return f"at {name} itself"
        return f"at the {self.activation} behind {name}"


@dataclass
class Trail:
    """One run of a layer and what becomes of its output, up to the first activation.

    activation: the name of that, None: there is none. Where gradients flow, ``value`` is a copy of
    its output, and ``gradients`` gets the gradient by that on the way back.
    """

    layer: str | nn.Module
    maps: list[Tensor]
    activation: str | None = None
    value: Tensor | None = None
    gradients: list[Tensor] = field(default_factory=list)

    def go_on(self, function: str, inputs: list[Tensor], outputs: list[Tensor]) -> None:
        if not any(x is followed for x in inputs for followed in self.maps):
            return
        maps = [x for x in outputs if is_map(x)]
        if _CARRIER.fullmatch(function):
            self.maps += maps
        elif maps:
            self._arrive(function, maps[0])

    def _arrive(self, activation: str, output: Tensor) -> None:
        self.activation, self.maps = activation, []
        if output.requires_grad:
            self.value = output.detach().clone()
            # By the value of this moment, also where something writes into it later.
            output.register_hook(lambda gradient: self.gradients.append(gradient.clone()))


def is_map(output: Any) -> bool:
    """Whether ``output`` has shape (N, C, H, W) with more than one pixel."""
    return isinstance(output, Tensor) and output.ndim == 4 and output.shape[2:].numel() > 1


@contextmanager
def following(model: nn.Module, layers: Iterable[str | nn.Module]) -> Iterator[list[Trail]]:
    """Append a :class:`Trail` to the yielded list whenever one of ``layers`` puts out a map."""
    trails: list[Trail] = []
    with ExitStack() as stack:
        for layer in layers:
            handle = find_layer(model, layer).register_forward_hook(_start(layer, trails))
            stack.callback(handle.remove)
        stack.enter_context(_Watched(trails))
        yield trails


def last_map(model: nn.Module, images: Tensor) -> Place:
    """Where Grad-CAM looks unless told: at the activation behind the last convolution.

    That is the one that runs last of those that run once and put out more than one pixel for
    ``images``, which are as ``model`` takes them. No activation counts behind a pooling to one
    pixel, behind a layer with weights, or where the axes change their order; without any the place
    is the convolution itself.

    Raises:
        UserError: where there is no such convolution.
    """
    layers = [name for name, _ in require_conv(model, "Grad-CAM needs")]
    with torch.no_grad(), evaluating(model), following(model, layers) as trails:
        # Two, since a network may squeeze a batch of one; a copy for a layer that works in place.
        model(images[:2].clone())
    ran = [trail.layer for trail in trails]
    once = [trail for trail in trails if ran.count(trail.layer) == 1]
    if not once:
        raise UserError(
            "Grad-CAM needs a convolutional layer that runs once and puts out more than 1 x 1 "
            f"pixel, and {type(model).__name__} has none for images of shape "
            f"{tuple(images.shape[1:])}; "
            "name another layer with an output of shape (N, C, H, W)."
        )
    return Place(once[-1].layer, once[-1].activation)


def _start(layer: str | nn.Module, trails: list[Trail]) -> Callable[..., None]:
    def start(module: nn.Module, args: tuple[object, ...], output: object) -> None:
        if is_map(output):
            assert isinstance(output, Tensor)
            trails.append(Trail(layer, [output]))

    return start


class _Watched(TorchFunctionMode):
    """Shows each torch function that may matter to all trails that have not arrived."""

    def __init__(self, trails: list[Trail]) -> None:
        super().__init__()
        self.trails = trails

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        name = getattr(func, "__name__", "").strip("_")
        if _ACTIVATION.fullmatch(name) or _CARRIER.fullmatch(name):
            inputs, outputs = (
                list(_tensors((*args, *(kwargs or {}).values()))),
                list(_tensors(result)),
            )
            for trail in self.trails:
                trail.go_on(name, inputs, outputs)
        return result


def _tensors(values: Any) -> Iterator[Tensor]:
    """The tensors in ``values``, a tensor or what may hold some."""
    if isinstance(values, Tensor):
        yield values
    elif isinstance(values, list | tuple):
        for value in values:
            yield from _tensors(value)
