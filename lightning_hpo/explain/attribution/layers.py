"""Which layers a network has, and what they make of its inputs.

Shapes: N images, C channels, H x W pixels of the layer's output, L neurons of a layer.
"""

from collections.abc import Sequence
from contextlib import ExitStack

import torch
from torch import Tensor, nn

from lightning_hpo.errors import UserError
from lightning_hpo.explain.attribution.capture import (
    capture_activations,
    captured_once,
    evaluating,
)


def feature_maps(model: nn.Module, layer: str | nn.Module, images: Tensor) -> Tensor:
    """The output of one layer, in eval mode and without gradients.

    Args:
        model: maps ``images`` to anything.
        layer: one of its layers, or the dotted name of one.
        images: (N, ...) as the model takes them, on its device.

    Returns:
        What the layer puts out: (N, C, H, W) of a convolutional one.

    Raises:
        UserError: where there is no such layer, or it does not run once in a forward pass.

    Examples:
        >>> model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU())
        >>> feature_maps(model, "0", torch.zeros(2, 1, 8, 8)).shape
        torch.Size([2, 4, 6, 6])
    """
    with (
        torch.no_grad(),
        evaluating(model),
        capture_activations(model, layer) as captured,
    ):
        model(images)
    return captured_once(captured, layer)


def layer_feature_maps(
    model: nn.Module, images: Tensor, layers: Sequence[str] | None = None
) -> dict[str, Tensor]:
    """The outputs of several layers in one forward pass, by dotted name; see ``feature_maps``.

    ``layers``: dotted names; None: every convolutional layer, in the order of registration.
    """
    if layers is None:
        layers = [name for name, _ in require_conv(model, "Feature maps need")]
    with torch.no_grad(), evaluating(model), ExitStack() as stack:
        captured = {name: stack.enter_context(capture_activations(model, name)) for name in layers}
        model(images)
    return {name: captured_once(outputs, name) for name, outputs in captured.items()}


def last_hidden_activations(model: nn.Module, inputs: Tensor) -> Tensor:
    """What enters the linear layer that runs last, in eval mode: (N, L) for L hidden neurons.

    That is the last hidden layer behind its activation function, which so may be a module or a
    function, used once or several times.
    """
    entered: list[Tensor] = []

    def record(module: nn.Module, args: tuple[Tensor, ...]) -> None:
        entered[:] = [args[0].detach().clone()]

    with torch.no_grad(), evaluating(model), ExitStack() as stack:
        for module in model.modules():
            if isinstance(module, nn.Linear):
                stack.callback(module.register_forward_pre_hook(record).remove)
        model(inputs)
    if not entered:
        raise UserError(
            f"the last hidden layer is what enters a linear layer, and {type(model).__name__} runs "
            "none; use feature_maps(model, layer, inputs) with a layer's name."
        )
    return entered[0].flatten(1)


def conv_layers(model: nn.Module) -> list[tuple[str, nn.Conv2d]]:
    """Dotted name and module of each convolutional layer, in the order of registration."""
    return [(n, m) for n, m in model.named_modules() if isinstance(m, nn.Conv2d)]


def last_conv(model: nn.Module) -> tuple[str, nn.Conv2d]:
    """The dotted name and the module of the convolution that was registered last."""
    return require_conv(model, "Grad-CAM needs")[-1]


def require_conv(model: nn.Module, purpose: str) -> list[tuple[str, nn.Conv2d]]:
    """``conv_layers``; :class:`UserError`, which begins with ``purpose``, where there is none."""
    found = conv_layers(model)
    if not found:
        raise UserError(
            f"{purpose} a convolutional layer, and {type(model).__name__} has none; "
            "name another layer with an output of shape (N, C, H, W)."
        )
    return found
