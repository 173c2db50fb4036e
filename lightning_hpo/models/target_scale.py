"""Mean and standard deviation of a regressor's targets, by which its outputs get their units."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from lightning_hpo.errors import UserError

Scale = tuple[float, float]


def plain_scale(asked: Sequence[float] | None) -> Scale | None:
    """As plain numbers; raises :class:`UserError` for others than a mean and a deviation."""
    if asked is None:
        return None
    found = tuple(float(number) for number in asked)
    if len(found) != 2 or not all(map(math.isfinite, found)) or found[1] <= 0:
        raise UserError(
            "target_scale must be null or a mean and a standard deviation above 0, got"
            f" target_scale={list(asked)}."
        )
    return found[0], found[1]


def in_units(outputs: Tensor, scale: Scale | None) -> Tensor:
    """Outputs as they are without a scale; else at least in single precision, for large units."""
    if scale is None:
        return outputs
    mean, std = scale
    return outputs.to(torch.promote_types(outputs.dtype, torch.float32)) * std + mean
