"""The base regressor: mean squared error around a network that predicts one number a sample."""

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


class BaseRegressor(BaseModule):
    """Least-squares regressor that logs `<stage>/loss`, the mean squared error, once per epoch.

    A subclass builds its layers and defines `forward(x) -> predictions` of shape (B,). `optimizer`
    maps parameters to an optimizer (a partial of a torch class; Adam with lr 0.001 if None),
    `scheduler` is as in `BaseModule`; neither is stored in checkpoints.
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
        if outputs.shape != y.shape:
            # Broadcast, (B,) against (B, 1) would compare every prediction with every target.
            raise UserError(
                "predictions and targets must have the same shape, "
                f"got {tuple(outputs.shape)} and {tuple(y.shape)}; both should be (B,)."
            )
        return F.mse_loss(outputs, y)
