"""Training losses whose samples weigh differently, and what is said of modules without one."""

from typing import Any

import torch.nn.functional as F
from torch import Tensor

from lightning_hpo.errors import UserError


def weighted_cross_entropy(
    outputs: Tensor, y: Tensor, weights: Tensor, weights_k: Tensor | None, smoothing: float
) -> Tensor:
    """As torch's own mean of a batch in which each sample is so often as it weighs (B,)."""
    losses = F.cross_entropy(
        outputs.float(), y, weights_k, reduction="none", label_smoothing=smoothing
    )
    counted = weights if weights_k is None else weights * weights_k[y]
    return (weights * losses).sum() / counted.sum()


def weighted_squares(outputs: Tensor, y: Tensor, weights: Tensor) -> Tensor:
    """The mean squared error of such a batch."""
    return (weights * F.mse_loss(outputs, y, reduction="none")).sum() / weights.sum()


def unweighted(module: object, way_out: str) -> UserError:
    """What is said of a module that weighs no samples."""
    return UserError(
        "data.weights must be for a module whose training loss weighs rows, which this"
        f" {type(module).__name__} does not; {way_out}, or leave out data.weights."
    )


def require_own_losses(module: object, base: type[Any]) -> None:
    """Raise :class:`UserError` for a module with another loss than ``base``, but weighs as that."""
    own: Any = type(module)
    names = ("loss", "training_loss", "fitted_loss")
    changed = any(getattr(own, name) is not getattr(base, name) for name in names)
    if changed and own.weighted_loss is base.weighted_loss:
        raise unweighted(module, "give it a weighted_loss(outputs, y, weights) of its own")
