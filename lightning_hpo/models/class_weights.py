"""Weights of the classes in a training loss, given or from how many samples each class has."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from lightning_hpo.data import told
from lightning_hpo.errors import UserError

ClassWeights = Sequence[float] | Literal["balanced"] | None


def require_weights(asked: ClassWeights, num_classes: int) -> Tensor | None:
    """(K,) of a list; None: there are none, or the data say them. Raises :class:`UserError`."""
    if asked is None or asked == "balanced":
        return None
    is_list = not isinstance(asked, str) and len(asked) == num_classes
    if not is_list or not all(isinstance(w, int | float) and w >= 0 for w in asked):
        raise UserError(
            f"class_weights must be null, balanced or {num_classes} numbers of at least 0, one for"
            f" each class, got class_weights={asked}."
        )
    return torch.tensor(asked, dtype=torch.float32)


def balanced(data: object) -> Tensor:
    """Weights (K,) of classes, n / (K * n of the class), as scikit-learn's, of what trains.

    A class without any weighs nothing.

    Raises:
        UserError: for data that do not count.
    """
    if not isinstance(data, told.CountsSamples):
        raise UserError(
            "class_weights=balanced needs a data module that says in class_counts how many training"
            f" samples each class has, got {type(data).__name__}; give the weights as a list."
        )
    counts = torch.as_tensor(data.class_counts, dtype=torch.float32)
    weights = counts.sum() / (len(counts) * counts)
    return torch.where(counts > 0, weights, torch.zeros_like(counts))
