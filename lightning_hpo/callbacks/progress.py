"""What a fit of the final job tells the live view: a small file in its folder, which is replaced.

A fit of the search tells its trial, which the study's storage keeps; the final job has no trial.
"""

import math
import time
from dataclasses import asdict
from pathlib import Path

from lightning_hpo.flavour import pl
from lightning_hpo.protocol.files import write_json
from lightning_hpo.protocol.folder import JobFolder
from lightning_hpo.protocol.messages import FitProgress
from lightning_hpo.protocol.stages import counterpart

# As often as the live view is drawn.
_EVERY_S = 0.25


class ProgressFile:
    """How many of ``epochs`` are done in the fit in ``folder``, and the latest ``metric``."""

    def __init__(self, folder: Path, *, epochs: int, metric: str) -> None:
        self.path = JobFolder(folder).progress
        self.epochs = epochs
        self.metric = metric
        self._next_s = 0.0

    def tell(self, done: int, value: float | None, *, metric: str | None = None) -> None:
        """Write it down, unless that was done a moment ago; a NaN is no value.

        ``metric``: what the value is of, where that shows only in training.
        """
        now_s = time.monotonic()
        if done < self.epochs and now_s < self._next_s:
            return
        self._next_s = now_s + _EVERY_S
        known = value is not None and math.isfinite(value)
        told = FitProgress(done, self.epochs, metric or self.metric, value if known else None)
        write_json(self.path, asdict(told))

    def report(self, epoch: int, value: float) -> None:
        """The same as a stack reports it, after the 0-based ``epoch``."""
        self.tell(epoch + 1, value)


class EpochProgress(pl.Callback):
    """Keeps the :class:`ProgressFile` of a fit up to date, epoch by epoch.

    Where nothing validates, the value is of the training metric that measures the same.
    """

    def __init__(self, folder: Path, *, monitor: str) -> None:
        self.folder = folder
        self.monitor = monitor

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        epochs = trainer.max_epochs or 0
        self._file = ProgressFile(self.folder, epochs=epochs, metric=self.monitor)

    # An epoch's training metrics are logged behind the callbacks' own hook at its end.
    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._tell(trainer)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._tell(trainer)

    def _tell(self, trainer: pl.Trainer) -> None:
        if not trainer.is_global_zero:
            return
        logged = trainer.callback_metrics
        metric = self.monitor if self.monitor in logged else counterpart(self.monitor, logged)
        value = None if metric is None else float(logged[metric])
        self._file.tell(trainer.current_epoch, value, metric=metric)
