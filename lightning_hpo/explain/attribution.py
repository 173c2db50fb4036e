"""What a network looks at: Grad-CAM, feature maps and hidden activations as pure functions.

Works for any `nn.Module`, a `LightningModule` included, under any caller (`torch.no_grad`,
`torch.inference_mode`, a model in train mode). Afterwards the hooks are gone, after success and
after an exception, and training modes, gradients, `requires_grad` and random state are as before.

Shapes: N images, C channels, H x W pixels of the layer's output, K classes.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lightning_hpo.errors import UserError


def grad_cam(
    model: nn.Module,
    layer: str | nn.Module,
    images: Tensor,
    target: int | Tensor | None = None,
    *,
    rectified: bool = True,
    positive_activations: bool = False,
    size: tuple[int, int] | None = None,
) -> Tensor:
    """Grad-CAM (Selvaraju et al. 2017, arXiv:1610.02391), float32 of shape (N, H, W).

    map = sum_c mean_hw(d logit / d activation_c) * activation_c, for the logit of `target`. H x W
    are the pixels of the layer's output, or `size`.

    Args:
        model: maps images to logits (N, K).
        layer: one of its layers, or the dotted name of one, whose output is (N, C, H, W).
        images: as the model takes them, on its device.
        target: in [0, K), one class for all images or one for each (N,); None: each image's
            predicted class.
        rectified: keep positive evidence only.
        positive_activations: see below.
        size: (height, width) in pixels to which maps are resized bilinearly, after rectification.

    Raises:
        UserError: there is no such layer, it does not run once in a forward pass or its output has
            another shape, or a target is outside its range.

    The paper's activations have passed a ReLU. On the bare output of a convolution, negative
    activations dominate the sum and leave many rectified maps empty (44 % for a small CNN on
    Fashion-MNIST, layer "features.3"); `positive_activations` replaces them by zero in the sum.
    Use it for a convolution that feeds a ReLU; without it the map is captum's `LayerGradCam`.

    The sum over channels is the paper's; the reference study averages over channels, which divides
    every map by C. Maps are not normalised, so images can be compared.
    """
    activation_nchw, grads_nchw = _activation_and_gradient(model, layer, images, target)
    weights_nc11 = grads_nchw.mean(dim=(2, 3), keepdim=True)
    if positive_activations:
        activation_nchw = activation_nchw.relu()
    maps_nhw = (weights_nc11 * activation_nchw).sum(dim=1)
    if rectified:
        maps_nhw = maps_nhw.relu()
    if size is None:
        return maps_nhw
    resized = F.interpolate(maps_nhw[:, None], size=size, mode="bilinear", align_corners=False)
    return resized[:, 0]


def feature_maps(model: nn.Module, layer: str | nn.Module, images: Tensor) -> Tensor:
    """The output of `layer` for `images`, in eval mode: (N, C, H, W) of a convolutional layer.

    `model` maps `images` to anything; `layer` is one of its layers, or its dotted name. Raises
    `UserError` where there is no such layer, or it does not run once in a forward pass.
    """
    with (
        torch.no_grad(),
        evaluating(model),
        capture_activations(model, layer) as captured,
    ):
        model(images)
    return _only(captured, layer)


def layer_feature_maps(
    model: nn.Module, images: Tensor, layers: Sequence[str] | None = None
) -> dict[str, Tensor]:
    """The outputs of several layers in one forward pass, by dotted name; see `feature_maps`.

    `layers`: dotted names; None: every convolutional layer, in the order of registration.
    """
    if layers is None:
        layers = [name for name, _ in _require_conv(model, "Feature maps need")]
    with torch.no_grad(), evaluating(model), ExitStack() as stack:
        captured = {name: stack.enter_context(capture_activations(model, name)) for name in layers}
        model(images)
    return {name: _only(outputs, name) for name, outputs in captured.items()}


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
    return _require_conv(model, "Grad-CAM needs")[-1]


def _require_conv(model: nn.Module, purpose: str) -> list[tuple[str, nn.Conv2d]]:
    found = conv_layers(model)
    if not found:
        raise UserError(
            f"{purpose} a convolutional layer, and {type(model).__name__} has none; "
            "name another layer with an output of shape (N, C, H, W)."
        )
    return found


def _activation_and_gradient(
    model: nn.Module, layer: str | nn.Module, images: Tensor, target: int | Tensor | None
) -> tuple[Tensor, Tensor]:
    """The output of `layer` and the gradient of the chosen logits by it, both (N, C, H, W)."""
    with (
        torch.inference_mode(False),
        torch.enable_grad(),
        evaluating(model),
        capture_activations(model, layer, differentiable=True) as captured,
    ):
        # An inference tensor cannot take part in autograd; its clone can.
        logits_nk = model(images.clone() if images.is_inference() else images)
        activation_nchw = _only(captured, layer)
        if activation_nchw.ndim != 4:
            raise UserError(
                "Grad-CAM needs a layer with an output of shape (N, C, H, W), got shape "
                f"{tuple(activation_nchw.shape)} from layer={_label(layer)}; "
                "choose a convolutional layer."
            )
        score = _chosen_logits(logits_nk, target).sum()
        (grads_nchw,) = torch.autograd.grad(score, activation_nchw)
    return activation_nchw.detach().float(), grads_nchw.float()


@contextmanager
def capture_activations(
    model: nn.Module, layer: str | nn.Module, *, differentiable: bool = False
) -> Iterator[list[Tensor]]:
    """Append a copy of the output of `layer` to the yielded list, once per forward pass.

    The copies are cut off from what came before. With `differentiable`, each is a leaf that the
    rest of the network depends on: `torch.autograd.grad` stops there, and frozen weights below do
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
    """`x` where the model is and, of real numbers, in its precision, such as bfloat16."""
    parameter = next((p for p in model.parameters() if p.is_floating_point()), None)
    if parameter is None:
        return x
    x = x.to(parameter.device)
    return x.to(parameter.dtype) if x.is_floating_point() else x


def find_layer(model: nn.Module, layer: str | nn.Module) -> nn.Module:
    """The part of `model` that `layer` names or is; raises :class:`UserError` for any other."""
    modules = dict(model.named_modules())
    if isinstance(layer, str) and layer in modules:
        return modules[layer]
    if isinstance(layer, nn.Module) and any(layer is module for module in modules.values()):
        return layer
    raise UserError(
        f"layer must be part of {type(model).__name__}, got layer={_label(layer)}; "
        f"available: {', '.join(name for name in modules if name)}."
    )


def _label(layer: str | nn.Module) -> str:
    return repr(layer) if isinstance(layer, str) else type(layer).__name__


def _only(captured: list[Tensor], layer: str | nn.Module) -> Tensor:
    if len(captured) != 1:
        raise UserError(
            f"layer={_label(layer)} must run once in a forward pass, ran {len(captured)} times; "
            "choose a layer that is not skipped or shared."
        )
    return captured[0]


def _chosen_logits(logits_nk: Tensor, target: int | Tensor | None) -> Tensor:
    n, k = logits_nk.shape
    if target is None:
        return logits_nk.max(dim=1).values
    classes = torch.as_tensor(target, device=logits_nk.device)
    if int(classes.min()) < 0 or int(classes.max()) >= k:
        raise UserError(f"target must lie in [0, {k - 1}], got target={target}.")
    return logits_nk.gather(1, classes.expand(n)[:, None])
