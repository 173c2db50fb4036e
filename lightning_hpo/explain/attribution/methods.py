"""Attribution methods: how much each part of an image speaks for a class, as pure functions.

Shapes: N images, C channels, H x W pixels of the layer's output, K classes.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lightning_hpo.errors import UserError
from lightning_hpo.explain.attribution.capture import (
    capture_activations,
    captured_once,
    evaluating,
    label,
)
from lightning_hpo.explain.attribution.layers import last_conv
from lightning_hpo.explain.attribution.registry import attribution_method


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

    map = sum_c mean_hw(d logit / d activation_c) * activation_c, for the logit of `target`: one
    class for all images, one per image (N,), or each image's predicted class if None. `rectified`
    keeps positive evidence only. `size` resizes bilinearly, after rectification.

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


@attribution_method("grad_cam", title="Grad-CAM", signed=False, needs_convolution=True)
def grad_cam_maps(
    model: nn.Module,
    images: Tensor,
    target: int | Tensor | None = None,
    *,
    layer: str | nn.Module | None = None,
) -> Tensor:
    """Grad-CAM as figures show it, as large as the images: (N, H, W).

    `layer`: None is the convolution that was registered last. Convolutions mostly feed a ReLU,
    which `positive_activations` of `grad_cam` stands for.
    """
    layer = last_conv(model)[0] if layer is None else layer
    size = (images.shape[-2], images.shape[-1])
    return grad_cam(model, layer, images, target, positive_activations=True, size=size)


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
        activation_nchw = captured_once(captured, layer)
        if activation_nchw.ndim != 4:
            raise UserError(
                "Grad-CAM needs a layer with an output of shape (N, C, H, W), got shape "
                f"{tuple(activation_nchw.shape)} from layer={label(layer)}; "
                "choose a convolutional layer."
            )
        score = _chosen_logits(logits_nk, target).sum()
        (grads_nchw,) = torch.autograd.grad(score, activation_nchw)
    return activation_nchw.detach().float(), grads_nchw.float()


def _chosen_logits(logits_nk: Tensor, target: int | Tensor | None) -> Tensor:
    n, k = logits_nk.shape
    if target is None:
        return logits_nk.max(dim=1).values
    classes = torch.as_tensor(target, device=logits_nk.device)
    if int(classes.min()) < 0 or int(classes.max()) >= k:
        raise UserError(f"target must lie in [0, {k - 1}], got target={target}.")
    return logits_nk.gather(1, classes.expand(n)[:, None])
