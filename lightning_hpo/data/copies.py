"""Augmented copies of training samples, made once, and stored as the samples are."""

import torch
from torch import Generator, Tensor

from lightning_hpo.data.loader import Augment

_CHUNK = 1024


def augmented_copies(
    x: Tensor, *, mean: Tensor, std: Tensor, augment: Augment, seed: int
) -> Tensor:
    """One changed copy of each sample, of the same type: bytes are rounded and cut to 0 to 255.

    x: (N, C, ...), as stored; mean, std: (C,), by which ``augment`` gets them normalised. The same
    seed gives the same copies.
    """
    generator = Generator(x.device).manual_seed(seed)
    shape = (-1,) + (1,) * (x.ndim - 2)
    mean, std = mean.to(x.device).view(shape), std.to(x.device).view(shape)
    changed = [augment((part - mean) / std, generator) * std + mean for part in x.split(_CHUNK)]
    if x.dtype == torch.uint8:
        changed = [part.round_().clamp_(0, 255).to(torch.uint8) for part in changed]
    return torch.cat(changed)
