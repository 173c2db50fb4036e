"""One batch of a fit before any trial, with its real callbacks, loggers, schedule and settings.

What the user's module, callbacks or Trainer settings make impossible shows here in one line, while
the study is still empty.
"""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from omegaconf import DictConfig

from lightning_hpo.callbacks.figures import FigureCallback
from lightning_hpo.callbacks.reporting import monitored
from lightning_hpo.data.base import TensorDataModule
from lightning_hpo.data.loader import steps_per_call
from lightning_hpo.errors import UserError
from lightning_hpo.fitting import build, observers, ranks
from lightning_hpo.flavour import pl

# Arguments of a Trainer whose fit ends behind one batch: that needs no ranks, which take longer to
# start than to train, and must not be held up.
FOR_ONE_BATCH: Mapping[str, Any] = {
    "strategy": "auto",
    "devices": 1,
    "min_epochs": None,
    "min_steps": None,
    "max_time": None,
}


def rehearse(
    cfg: DictConfig, module: pl.LightningModule, data: pl.LightningDataModule, folder: Path
) -> pl.Trainer:
    """Train on one batch, validate on one; raises :class:`UserError` for what cannot work.

    ``folder``: of the job; the rehearsal leaves nothing there.
    """
    behind_one = BehindOneBatch(cfg.monitor)
    with _folder_for_now(folder) as inside:
        callbacks = build.callbacks(cfg, with_validation=True)
        observers.check_places(cfg, folder, callbacks)
        ranks.check_strategy(build.trainer(cfg, inside, callbacks, logger=False))
        trainer = _trainer(cfg, inside, behind_one)
        shorten(module, data)
        try:
            trainer.fit(module, datamodule=data)
        finally:
            # Also as the reason of what a callback raised that found no metric.
            behind_one.check()
    _check_validation_comes(cfg, trainer)
    return trainer


class BehindOneBatch(pl.Callback):
    """Ends a fit behind its first batch, with the validation that follows.

    Not Lightning's limits: a schedule would see a fit of a single step. Stands before all others,
    so that a missing monitor is told before one of them asks for it in words of its own (None: the
    fit needs none).
    """

    def __init__(self, monitor: str | None) -> None:
        self.monitor = monitor
        self.trained = self.validates = False

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        self.trained = trainer.should_stop = True

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.validates = self.validates or not trainer.sanity_checking

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self.monitor is not None and not trainer.sanity_checking:
            monitored(trainer, self.monitor)

    def check(self) -> None:
        """Raise :class:`UserError` if no validation followed."""
        if self.trained and not self.validates:
            raise UserError(
                f"monitor '{self.monitor}' needs a validation, but none ran: the module needs a"
                " validation_step, the data module a val_dataloader, and trainer.limit_val_batches"
                " must not be 0."
            )


def _trainer(cfg: DictConfig, folder: Path, behind_one: BehindOneBatch) -> pl.Trainer:
    given = cfg.trainer
    callbacks = build.callbacks(cfg, with_validation=True)
    for callback in callbacks:
        if isinstance(callback, FigureCallback):
            # They look at the network when a fit starts; drawing would take longer than the rest.
            callback.every_n_epochs, callback.at_end = None, False
    return build.trainer(
        cfg,
        folder,
        [behind_one, *callbacks],
        logger=observers.loggers(cfg, folder, aside=folder / "loggers"),
        **FOR_ONE_BATCH,
        check_val_every_n_epoch=None if _validates_by_steps(cfg) else 1,
        num_sanity_val_steps=0 if given.get("num_sanity_val_steps") == 0 else 1,
        limit_val_batches=0 if given.get("limit_val_batches") == 0 else 1,
    )


@contextmanager
def _folder_for_now(folder: Path) -> Iterator[Path]:
    # A logger may still hold a file open, which some file systems do not let go.
    with TemporaryDirectory(dir=folder, prefix="rehearsal_", ignore_cleanup_errors=True) as inside:
        yield Path(inside)


def shorten(module: pl.LightningModule, data: pl.LightningDataModule) -> None:
    """A module of ours may take a whole epoch in one batch; see minibatches.py."""
    if steps_per_call(module) != 1 and isinstance(data, TensorDataModule):
        data.train_indices = data.train_indices[: data.batch_size]


def _validates_by_steps(cfg: DictConfig) -> bool:
    return cfg.trainer.get("check_val_every_n_epoch", 1) is None


def _check_validation_comes(cfg: DictConfig, trainer: pl.Trainer) -> None:
    """Refuse a fit that its limits end before its first validation."""
    every = cfg.trainer.get("check_val_every_n_epoch", 1)
    if every is not None and every > cfg.trainer.max_epochs:
        raise UserError(
            f"monitor '{cfg.monitor}' needs a validation, but trainer.check_val_every_n_epoch="
            f"{every} is above trainer.max_epochs={cfg.trainer.max_epochs}."
        )
    max_steps = int(cfg.trainer.get("max_steps", -1))
    in_epoch = trainer.val_check_batch
    # Under manual optimization a batch may be any number of steps; ranks share an epoch's batches.
    counts = trainer.lightning_module.automatic_optimization and cfg.trainer.get("devices", 1) == 1
    if max_steps < 0 or in_epoch is None or not counts or math.isinf(in_epoch):
        return
    batches = ((every or 1) - 1) * trainer.num_training_batches + in_epoch
    steps = math.ceil(batches / trainer.accumulate_grad_batches)
    if max_steps < steps:
        raise UserError(
            f"monitor '{cfg.monitor}' needs a validation, but trainer.max_steps={max_steps} ends a"
            f" fit before the first one, after {steps} steps; raise it, or lower"
            " trainer.val_check_interval."
        )
