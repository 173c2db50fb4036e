"""Weight averaging: validation, the refit's test and its checkpoint use the averaged weights."""

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from lightning_hpo.errors import UserError
from lightning_hpo.flavour import pl

if TYPE_CHECKING:
    _Base = pl.callbacks.WeightAveraging
else:
    # Lightning before 2.6 has none.
    _Base = getattr(pl.callbacks, "WeightAveraging", pl.Callback)


class AveragedWeights(_Base):
    """Exponential moving average of weights and buffers, updated after each optimizer step.

    The average keeps the share ``min(decay, (1 + n) / (10 + n))`` of itself in its n-th update, as
    TensorFlow's ExponentialMovingAverage does, so that the start is forgotten within a short fit:
    Lightning's EMAWeightAveraging at 0.999 would validate what is mostly the initial network during
    the first thousand steps, and a pruner would believe it. Between validations the network trains
    on with its own weights; at the end of the fit the average takes their place.

    Args:
        decay: share of the average that an update leaves of it, in [0, 1), once it is warm.

    Raises:
        UserError: for a ``decay`` outside its range, and with Lightning before 2.6.
    """

    def __init__(self, *, decay: float = 0.999) -> None:
        if _Base is pl.Callback:
            raise UserError(
                f"weight_averaging needs Lightning 2.6 or newer, got {pl.__version__}; update"
                f" {pl.__name__.partition('.')[0]}, or leave it out of callbacks."
            )
        if not 0 <= decay < 1:
            raise UserError(
                f"weight_averaging.decay must lie in [0, 1), got {decay}; "
                "leave weight_averaging out of callbacks to train without."
            )
        super().__init__(multi_avg_fn=self._blend)
        self.decay = decay

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        # The module comes to its device only later, and its average would stay behind on the host.
        self._device = trainer.strategy.root_device
        super().setup(trainer, pl_module, stage)
        if stage == "fit":
            assert self._average_model is not None
            # Read at each update, which would wait for the device.
            self._average_model.n_averaged = self._average_model.n_averaged.cpu()
            # A callback that is used for another fit starts clean.
            self._latest_update_step = 0

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        # Under manual optimization a batch is many steps; see on_minibatch_end.
        if pl_module.automatic_optimization:
            super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)

    def on_minibatch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """What lightning_hpo.models.minibatches calls after each optimizer step."""
        assert self._average_model is not None
        self._average_model.update_parameters(pl_module)

    def _blend(self, average: list[Tensor], current: list[Tensor], n_averaged: Any) -> None:
        assert self._average_model is not None
        n = int(self._average_model.n_averaged)
        keep = min(self.decay, (1 + n) / (10 + n))
        if average[0].is_floating_point():
            torch._foreach_lerp_(average, current, 1 - keep)
        else:
            # Counts, such as batch normalisation's number of batches.
            for kept, new in zip(average, current, strict=True):
                kept.copy_(new)
