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
from lightning_hpo.explain.attribution.following import Place, Trail, following, last_map
from lightning_hpo.explain.attribution.registry import attribution_method

_AT_ONCE = 256  # images in a pass of integrated gradients; a pass of few takes as long


def grad_cam(
    model: nn.Module,
    layer: str | nn.Module | None,
    images: Tensor,
    target: int | Tensor | None = None,
    *,
    rectified: bool = True,
    size: tuple[int, int] | None = None,
) -> Tensor:
    """Grad-CAM (Selvaraju et al. 2017, arXiv:1610.02391).

    map = sum_c mean_hw(d logit / d activation_c) * activation_c, for the logit of ``target``.

    The paper's activations have passed a ReLU. On the bare output of a convolution, negative values
    dominate the sum and leave many rectified maps empty. The map is captum's ``LayerGradCam`` of
    the layer that was named, or of the activation's module.

    The sum over channels is the paper's; the reference study averages over channels, which divides
    every map by C. Maps are not normalised, so images can be compared.

    Args:
        model: maps images to logits (N, K).
        layer: one of its layers, or the dotted name of one, whose own output (N, C, H, W) is
            taken; None: the activation behind the last convolution, see
            :func:`lightning_hpo.explain.attribution.following.last_map`.
        images: as the model takes them, on its device.
        target: in [0, K), one class for all images or one for each (N,); None: the class that
            ``model(images)`` gives each.
        rectified: keep positive evidence only.
        size: (height, width) in pixels to which maps are resized bilinearly, after rectification;
            None: they stay as large as the layer's output.

    Returns:
        Maps (N, H, W), float32, on the device of ``images``.

    Raises:
        UserError: where there is no such layer, where it does not run once in a forward pass or its
            output has another shape, and for a target outside its range.

    Examples:
        >>> model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 10))
        >>> grad_cam(model, None, torch.rand(2, 1, 8, 8), target=3).shape
        torch.Size([2, 6, 6])
    """
    place = last_map(model, images) if layer is None else Place(layer)
    activation_nchw, grads_nchw = _activation_and_gradient(model, place, images, target)
    weights_nc11 = grads_nchw.mean(dim=(2, 3), keepdim=True)
    maps_nhw = (weights_nc11 * activation_nchw).sum(dim=1)
    if rectified:
        maps_nhw = maps_nhw.relu()
    if size is None:
        return maps_nhw
    resized = F.interpolate(maps_nhw[:, None], size=size, mode="bilinear", align_corners=False)
    return resized[:, 0]


def grad_cam_place(
    model: nn.Module, images: Tensor, *, layer: str | nn.Module | None = None
) -> str:
    """What figures say of where :func:`grad_cam_maps` looks, such as "at the relu behind conv"."""
    if layer is not None:
        return str(Place(layer))
    place = last_map(model, images)
    return f"{place}, no activation seen behind it" if place.activation is None else str(place)


@attribution_method(
    "grad_cam", title="Grad-CAM", signed=False, needs_convolution=True, place=grad_cam_place
)
def grad_cam_maps(
    model: nn.Module,
    images: Tensor,
    target: int | Tensor | None = None,
    *,
    layer: str | nn.Module | None = None,
) -> Tensor:
    """Grad-CAM as figures show it, as large as the images: (N, H, W); ``layer`` as there."""
    size = (images.shape[-2], images.shape[-1])
    return grad_cam(model, layer, images, target, size=size)


@attribution_method(
    "integrated_gradients", title="Integrated gradients", signed=True, needs_convolution=False
)
def integrated_gradients(
    model: nn.Module,
    images: Tensor,
    target: int | Tensor | None = None,
    *,
    baseline: Tensor | float | None = None,
    steps: int = 32,
) -> Tensor:
    """Integrated gradients (Sundararajan et al. 2017, arXiv:1703.01365).

    map = sum_c (image_c - baseline_c) * mean_a d logit(baseline + a (image - baseline)) / d x_c,
    with a at the middles of ``steps`` equal parts of [0, 1]. A map so sums to logit(image) -
    logit(baseline), but for the error of the mean over a. The sum over channels, which captum's
    ``IntegratedGradients`` leaves to the caller, keeps the total.

    Args:
        model: maps images to logits (N, K).
        images: (N, C, H, W) real numbers as the model takes them, on its device.
        target: as in :func:`grad_cam`.
        baseline: images without evidence, of any shape that broadcasts to the images'. The paper's
            is black; None stands for it as the darkest value of each image's channels, since black
            is not 0 in normalised images.
        steps: on the way from the baseline, at least 1.

    Returns:
        Maps (N, H, W), float32, negative where a pixel speaks against the class.

    Raises:
        UserError: for images of another shape or of integers, and for an argument outside its
            range.

    Examples:
        Of a linear network the maps are exact:

        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2, bias=False))
        >>> _ = model[1].weight.data.fill_(2)
        >>> integrated_gradients(model, torch.tensor([[[[0.0, 1.0], [2.0, 3.0]]]]), target=0)
        tensor([[[0., 2.],
                 [4., 6.]]])
    """
    _require_images(images, steps)
    with torch.no_grad(), evaluating(model):
        if baseline is None:
            baseline = images.amin(dim=(2, 3), keepdim=True)
        classes_n = _chosen_classes(model(images.clone()), target)
        way_nchw = images - baseline
        total_nchw = torch.zeros_like(way_nchw, dtype=torch.float32)
        parts_s = (torch.arange(steps, device=images.device) + 0.5) / steps
        for some_s in parts_s.to(images.dtype).split(max(1, _AT_ONCE // len(images))):
            points_snchw = baseline + some_s.view(-1, 1, 1, 1, 1) * way_nchw
            total_nchw += _input_gradients(model, points_snchw, classes_n).sum(dim=0)
        return (way_nchw.float() * total_nchw / steps).sum(dim=1)


def _require_images(images: Tensor, steps: int) -> None:
    if images.ndim != 4 or not images.is_floating_point():
        raise UserError(
            "integrated gradients need images of real numbers and shape (N, C, H, W), got "
            f"{images.dtype} of shape {tuple(images.shape)}."
        )
    if steps < 1:
        raise UserError(f"steps must be at least 1, got steps={steps}.")


def _input_gradients(model: nn.Module, points_snchw: Tensor, classes_n: Tensor) -> Tensor:
    """The gradients of the classes' logits by S versions of each image, in float32."""
    with torch.inference_mode(False), torch.enable_grad():
        # A copy of what may be an inference tensor; another for a first layer that works in place.
        leaf_snchw = points_snchw.clone().requires_grad_()
        logits_mk = model(leaf_snchw.flatten(0, 1).clone())
        score = _chosen_logits(logits_mk, classes_n.repeat(len(points_snchw))).sum()
        (grads_snchw,) = torch.autograd.grad(score, leaf_snchw)
    return grads_snchw.float()


def _activation_and_gradient(
    model: nn.Module, place: Place, images: Tensor, target: int | Tensor | None
) -> tuple[Tensor, Tensor]:
    """What is put out at ``place`` and the gradient of the chosen logits by it: (N, C, H, W)."""
    behind = [] if place.activation is None else [place.layer]
    with (
        torch.inference_mode(False),
        torch.enable_grad(),
        evaluating(model),
        capture_activations(model, place.layer, differentiable=True) as captured,
        following(model, behind) as trails,
    ):
        # A copy of what may be an inference tensor, and for a first layer that works in place.
        logits_nk = model(images.clone())
        output_nchw = captured_once(captured, place.layer)
        _require_map(output_nchw, place.layer)
        score = _chosen_logits(logits_nk, target).sum()
        (grads_nchw,) = torch.autograd.grad(score, output_nchw)
    if behind:
        (trail,) = trails
        output_nchw, grads_nchw = _behind(trail)
    return output_nchw.detach().float(), grads_nchw.float()


def _behind(trail: Trail) -> tuple[Tensor, Tensor]:
    """The output of the activation at the end of ``trail``, and the gradient by it."""
    assert trail.value is not None, "the same network was followed to an activation before"
    # No gradient comes back where the network makes nothing of the activation.
    grads = trail.gradients or [torch.zeros_like(trail.value)]
    return trail.value, grads[0]


def _require_map(output: Tensor, layer: str | nn.Module) -> None:
    if output.ndim != 4:
        raise UserError(
            "Grad-CAM needs a layer with an output of shape (N, C, H, W), got shape "
            f"{tuple(output.shape)} from layer={label(layer)}; choose a convolutional layer."
        )


def _chosen_logits(logits_nk: Tensor, target: int | Tensor | None) -> Tensor:
    if target is None:
        return logits_nk.max(dim=1).values
    # A copy, since an inference tensor cannot take part in autograd.
    return logits_nk.gather(1, _chosen_classes(logits_nk, target)[:, None].clone())


def _chosen_classes(logits_nk: Tensor, target: int | Tensor | None) -> Tensor:
    n, k = logits_nk.shape
    if target is None:
        return logits_nk.argmax(dim=1)
    classes = torch.as_tensor(target, device=logits_nk.device)
    if int(classes.min()) < 0 or int(classes.max()) >= k:
        raise UserError(f"target must lie in [0, {k - 1}], got target={target}.")
    return classes.expand(n)
