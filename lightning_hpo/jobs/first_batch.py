"""One batch of a fit before any trial, with its real callbacks, loggers, schedule and settings.

What the user's module, callbacks or Trainer settings make impossible shows here in one line, while
the study is still empty.
"""

import math
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from omegaconf import DictConfig

from lightning_hpo.callbacks.figures import FigureCallback
from lightning_hpo.callbacks.loggers import finishing
from lightning_hpo.callbacks.reporting import StageOfMetrics
from lightning_hpo.data.base import TensorDataModule
from lightning_hpo.data.loader import steps_per_call
from lightning_hpo.errors import UserError, did_you_mean
from lightning_hpo.fitting import build, observers, ranks
from lightning_hpo.fitting.plan import TrialPlan
from lightning_hpo.flavour import pl
from lightning_hpo.jobs.objective import OF_EVERY_FIT
from lightning_hpo.models.extra_metrics import how_to_log
from lightning_hpo.protocol.stages import Stage

# How long to wait for a metric that the first batch does not log.
_LONGER_EPOCHS, _LONGER_S = 200, 60.0

# Arguments of a Trainer whose fit ends behind one batch: that needs no ranks, which take longer to
# start than to train, and must not be held up.
FOR_ONE_BATCH: Mapping[str, Any] = {
    "strategy": "auto",
    "devices": 1,
    "min_epochs": None,
    "min_steps": None,
    "max_time": None,
}


@dataclass(frozen=True)
class Rehearsed:
    """A fit that was rehearsed; ``stages``: of each metric that it logged."""

    trainer: pl.Trainer
    stages: Mapping[str, Stage]


def rehearse(
    cfg: DictConfig, module: pl.LightningModule, data: pl.LightningDataModule, folder: Path
) -> Rehearsed:
    """Train on one batch, validate on one; raises :class:`UserError` for what cannot work.

    ``folder``: of the job; the rehearsal leaves nothing there.
    """
    wanted = [cfg.monitor, *(n for n in TrialPlan.of(cfg).objectives if n not in OF_EVERY_FIT)]
    behind_one = BehindOneBatch(cfg.monitor)
    with _folder_for_now(folder) as inside:
        callbacks = build.callbacks(cfg, with_validation=True)
        observers.check_places(cfg, folder, callbacks)
        ranks.check_strategy(build.trainer(cfg, inside, callbacks, logger=False))
        trainer = _trainer(cfg, inside, behind_one)
        shorten(module, data)
        try:
            with finishing(trainer.loggers):
                trainer.fit(module, datamodule=data)
        except Exception as error:
            behind_one.explain(trainer, error)
            raise
        found = behind_one.stages
        if not is_ours(module) and any(name not in found for name in wanted):
            found = {**found, **look_longer(cfg, data, inside / "longer", wanted)}
    if cfg.monitor not in found:
        raise behind_one.missing(found)
    check_schedules(trainer, found)
    if found[cfg.monitor] == "val":
        _check_validation_comes(cfg, trainer)
    return Rehearsed(trainer, found)


def is_ours(part: object) -> bool:
    """Whether this is of this package, where nothing needs a validation to be trained."""
    return type(part).__module__.startswith("lightning_hpo.")


class BehindOneBatch(StageOfMetrics):
    """Ends a fit behind its first batch, with the validation that follows, and notes what it logs.

    Not Lightning's limits: a schedule would see a fit of a single step. Stands before all others.
    ``monitor``: None: the fit needs none.
    """

    def __init__(self, monitor: str | None) -> None:
        super().__init__()
        self.monitor = monitor
        self.trained = self.validates = False

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        self.trained = trainer.should_stop = True

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.validates = self.validates or not trainer.sanity_checking

    def explain(self, trainer: pl.Trainer, error: Exception) -> None:
        """Raise in our words what somebody complained of who found no monitor."""
        known = {**dict.fromkeys(trainer.callback_metrics, "train"), **self.stages}
        if self.trained and self.monitor not in known and str(self.monitor) in str(error):
            raise self.missing(known) from error

    def missing(self, known: Collection[str]) -> UserError:
        """The error of a monitor that is not among the metrics ``known``."""
        if self.validates:
            monitor = str(self.monitor)
            hint = how_to_log(monitor) or did_you_mean(monitor, sorted(known))
            return UserError(
                f"monitor '{self.monitor}' was not logged; available: {sorted(known)}.{hint}"
            )
        return UserError(
            f"monitor '{self.monitor}' needs a validation, but none ran: the module needs a"
            " validation_step, the data module a val_dataloader, and trainer.limit_val_batches"
            f" must not be 0; or monitor what the training logs: {sorted(known)}."
        )


class UntilLogged(StageOfMetrics):
    """Ends a fit as soon as it has logged all of ``wanted``, or has lasted ``limit_s``."""

    def __init__(self, wanted: Collection[str], *, limit_s: float) -> None:
        super().__init__()
        self.wanted, self.ends_s = wanted, time.monotonic() + limit_s

    def note_training(self, trainer: pl.Trainer) -> None:
        super().note_training(trainer)
        found = all(name in self.stages for name in self.wanted)
        trainer.should_stop = trainer.should_stop or found or time.monotonic() > self.ends_s


def look_longer(
    cfg: DictConfig, data: pl.LightningDataModule, folder: Path, wanted: Collection[str]
) -> Mapping[str, Stage]:
    """What a module logs that logs some of its metrics in some of its epochs alone.

    One batch an epoch, until all that is ``wanted`` was logged.
    """
    until = UntilLogged(wanted, limit_s=_LONGER_S)
    trainer = _trainer(
        cfg,
        folder,
        until,
        max_epochs=min(cfg.trainer.max_epochs, _LONGER_EPOCHS),
        limit_train_batches=1,
        val_check_interval=1.0,
        check_val_every_n_epoch=cfg.trainer.get("check_val_every_n_epoch") or 1,
    )
    with finishing(trainer.loggers):
        trainer.fit(build.module(cfg, data), datamodule=data)
    return until.stages


def check_schedules(trainer: pl.Trainer, logged: Collection[str]) -> None:
    """Raise :class:`UserError` for a schedule by a metric that is not ``logged``.

    Also for one that looks at its metric only after some epochs.
    """
    for schedule in unfed_schedules(trainer, logged):
        if schedule.strict:
            known = sorted(logged)
            raise UserError(
                f"{type(schedule.scheduler).__name__} watches '{schedule.monitor}', which was not"
                f" logged; available: {known}.{did_you_mean(str(schedule.monitor), known)}"
            )


def unfed_schedules(trainer: pl.Trainer, logged: Collection[str]) -> Iterator[Any]:
    """Lightning's configurations of schedules that watch a metric which is not ``logged``."""
    for schedule in trainer.lr_scheduler_configs:
        if schedule.reduce_on_plateau and schedule.monitor not in logged:
            yield schedule


def _trainer(cfg: DictConfig, folder: Path, ends: pl.Callback, **changes: Any) -> pl.Trainer:
    given = cfg.trainer
    callbacks = build.callbacks(cfg, with_validation=True)
    for callback in callbacks:
        if isinstance(callback, FigureCallback):
            # They look at the network when a fit starts; drawing would take longer than the rest.
            callback.every_n_epochs, callback.at_end = None, False
    settings: dict[str, Any] = {
        **FOR_ONE_BATCH,
        "logger": observers.loggers(cfg, folder, aside=folder / "loggers"),
        "check_val_every_n_epoch": None if _validates_by_steps(cfg) else 1,
        "num_sanity_val_steps": 0 if given.get("num_sanity_val_steps") == 0 else 1,
        "limit_val_batches": 0 if given.get("limit_val_batches") == 0 else 1,
    }
    return build.trainer(cfg, folder, [ends, *callbacks], **settings | changes)


@contextmanager
def _folder_for_now(folder: Path) -> Iterator[Path]:
    # A logger may still hold a file open, which some file systems do not let go.
    with TemporaryDirectory(dir=folder, prefix="rehearsal_", ignore_cleanup_errors=True) as inside:
        yield Path(inside)


def shorten(module: pl.LightningModule, data: pl.LightningDataModule) -> None:
    """One batch of ours may be a whole epoch (see minibatches.py), or very many to validate on."""
    if not isinstance(data, TensorDataModule):
        return
    data.eval_batch_size = min(data.eval_batch_size, data.batch_size)
    if steps_per_call(module) != 1:
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
