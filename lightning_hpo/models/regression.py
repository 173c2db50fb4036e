"""The base regressor: mean squared error around a network that predicts one number a sample."""

from typing import Protocol, runtime_checkable

import torch.nn.functional as F
from torch import Tensor

from lightning_hpo.errors import UserError
from lightning_hpo.models.base import (
    NOT_STORED,
    BaseModule,
    OptimizerFactory,
    SchedulerFactory,
    StageMetrics,
)
from lightning_hpo.models.row_weights import require_own_losses, weighted_squares


@runtime_checkable
class NamesLastHidden(Protocol):
    """A network that says which of its layers is the last hidden one."""

    @property
    def last_hidden(self) -> str:
        """The layer's dotted name, for hooks."""


class BaseRegressor(BaseModule):
    """Least-squares regressor that logs ``<stage>/loss``, the mean squared error, once per epoch.

    A subclass builds its layers and defines ``forward(x) -> predictions`` of shape (B,), in the
    units of the targets (B,) float. Its own arguments are hyperparameters: a checkpoint holds them
    and opens without any. How the network is trained, by the two here, is not stored.

    Args:
        optimizer: from parameters to an optimizer, such as a partial of a torch class; None: Adam
            with a learning rate of 0.001.
        scheduler: from an optimizer and ``total_steps`` to a schedule of the learning rate, which
            follows each optimizer step; None: a constant rate.
    """

    def __init__(
        self,
        *,
        optimizer: OptimizerFactory | None = None,
        scheduler: SchedulerFactory | None = None,
    ) -> None:
        super().__init__(metrics=StageMetrics, optimizer=optimizer, scheduler=scheduler)
        # Collects the arguments of the subclass too, with the values its locals have by now.
        self.save_hyperparameters(ignore=NOT_STORED)

    def loss(self, outputs: Tensor, y: Tensor) -> Tensor:
        """Mean squared error, in squared units of the target."""
        _require_same_shape(outputs, y)
        return F.mse_loss(outputs, y)

    def weighted_loss(self, outputs: Tensor, y: Tensor, weights: Tensor) -> Tensor:
        _require_same_shape(outputs, y)
        return weighted_squares(outputs, y, weights)

    def require_weights_known(self) -> None:
        require_own_losses(self, BaseRegressor)


def _require_same_shape(outputs: Tensor, y: Tensor) -> None:
    if outputs.shape != y.shape:
        # Broadcast, (B,) against (B, 1) would compare every prediction with every target.
        raise UserError(
            "predictions and targets must have the same shape, "
            f"got {tuple(outputs.shape)} and {tuple(y.shape)}; both should be (B,)."
        )
