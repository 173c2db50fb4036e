"""Looking into a network without leaving a trace: its layers' outputs, its modes, its precision.

Shapes: N images, C channels, H x W pixels of the layer's output.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from lightning_hpo.errors import UserError


@contextmanager
def capture_activations(
    model: nn.Module, layer: str | nn.Module, *, differentiable: bool = False
) -> Iterator[list[Tensor]]:
    """Append a copy of the output of ``layer`` to the yielded list, once per forward pass.

    The copies are cut off from what came before. With ``differentiable``, each is a leaf that the
    rest of the network depends on: ``torch.autograd.grad`` stops there, and frozen weights below do
    not matter.
    """
    captured: list[Tensor] = []

    def record(module: nn.Module, args: tuple[object, ...], output: Tensor) -> Tensor | None:
        activation = output.detach().clone().requires_grad_(differentiable)
        captured.append(activation)
        # A copy again: an in-place ReLU behind the layer must not write into the leaf.
        return activation.clone() if differentiable else None

    handle = find_layer(model, layer).register_forward_hook(record)
    try:
        yield captured
    finally:
        handle.remove()


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Eval mode inside; the mode of each submodule and the random state as before afterwards."""
    modes = {module: module.training for module in model.modules()}
    cuda_devices = {p.device for p in model.parameters() if p.device.type == "cuda"}
    with torch.random.fork_rng(devices=list(cuda_devices)):
        model.eval()
        try:
            yield
        finally:
            for module, training in modes.items():
                module.training = training


def as_input(model: nn.Module, x: Tensor) -> Tensor:
    """``x`` where the model is and, of real numbers, in its precision, such as bfloat16."""
    parameter = next((p for p in model.parameters() if p.is_floating_point()), None)
    if parameter is None:
        return x
    x = x.to(parameter.device)
    return x.to(parameter.dtype) if x.is_floating_point() else x


def find_layer(model: nn.Module, layer: str | nn.Module) -> nn.Module:
    """The part of ``model`` that ``layer`` names or is; raises :class:`UserError` for any other."""
    modules = dict(model.named_modules())
    if isinstance(layer, str) and layer in modules:
        return modules[layer]
    if isinstance(layer, nn.Module) and any(layer is module for module in modules.values()):
        return layer
    raise UserError(
        f"layer must be part of {type(model).__name__}, got layer={label(layer)}; "
        f"available: {', '.join(name for name in modules if name)}."
    )


def captured_once(captured: list[Tensor], layer: str | nn.Module) -> Tensor:
    """What :func:`capture_activations` captured in one pass; the layer must have run once."""
    if len(captured) != 1:
        raise UserError(
            f"layer={label(layer)} must run once in a forward pass, ran {len(captured)} times; "
            "choose a layer that is not skipped or shared."
        )
    return captured[0]


def label(layer: str | nn.Module) -> str:
    """What an error calls a layer."""
    return repr(layer) if isinstance(layer, str) else type(layer).__name__
