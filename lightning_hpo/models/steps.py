"""How one optimizer step on a minibatch is taken, and what of a module it needs."""

from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor


class TrainMetrics(Protocol):
    """Of an epoch's training, from sums over the samples of each minibatch."""

    def sums(self, loss: Tensor, outputs: Tensor, y: Tensor) -> Tensor:
        """What a minibatch adds, as sums over its samples (k,); may be captured in a CUDA graph."""

    def add(self, sums: Tensor, n: int) -> None:
        """Count ``sums`` over n samples in."""


class TrainsByMinibatch(Protocol):
    """What a step needs of a module, beside Lightning's own for manual optimization."""

    @property
    def trainer(self) -> Any: ...

    @property
    def device(self) -> torch.device: ...

    @property
    def train_metrics(self) -> TrainMetrics: ...

    def __call__(self, x: Tensor) -> Tensor: ...

    def fitted_loss(self, x: Tensor, outputs: Tensor, y: Tensor) -> Tensor:
        """The mean loss of a minibatch, of which the gradients are taken."""

    def optimizers(self) -> Any: ...

    def lr_schedulers(self) -> Any: ...

    def manual_backward(self, loss: Tensor) -> None: ...


@runtime_checkable
class ObservesMinibatches(Protocol):
    """A callback that is told of each optimizer step, where Lightning tells it of batches only."""

    def on_minibatch_end(self, trainer: Any, pl_module: Any) -> None:
        """``pl_module`` took a step under ``trainer``; both are Lightning's."""


class EagerStep:
    """Forward, backward and optimizer step of one minibatch, as Lightning's own loop does them."""

    def __init__(self, module: TrainsByMinibatch) -> None:
        optimizer = module.optimizers()
        assert not isinstance(optimizer, list), "one optimizer"
        self.module = module
        self.optimizer = optimizer
        self.device_type = module.device.type
        self.sums: Tensor | None = None
        self.n = 0

    def __call__(self, x: Tensor, y: Tensor) -> None:
        sums = self._update(x, y)
        self.sums = sums if self.sums is None else self.sums.add_(sums)
        self.n += len(y)

    def flush(self) -> None:
        """Hand what the metrics need over to them: once, since it costs more than a sum."""
        if self.n:
            assert self.sums is not None
            self.module.train_metrics.add(self.sums, self.n)
            self.sums.zero_()
            self.n = 0

    def _update(self, x: Tensor, y: Tensor) -> Tensor:
        self.optimizer.zero_grad()
        outputs = self.module(x)
        loss = self.module.fitted_loss(x, outputs, y)
        # Lightning opens autocast around the whole call. Backward and the optimizer belong outside,
        # and the weights that it has cast are stale after a step (before 2.6 it keeps them).
        with torch.autocast(self.device_type, enabled=False):
            self.module.manual_backward(loss)
            self.optimizer.step()
        torch.clear_autocast_cache()
        return self.module.train_metrics.sums(loss.detach(), outputs.detach(), y)
