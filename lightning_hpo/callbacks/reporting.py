"""What a fit tells the study: intermediate values, the best epoch, and losses that diverged."""

import math
from typing import Any, Protocol

import optuna
import pytorch_lightning as pl

from lightning_hpo.errors import UserError, did_you_mean
from lightning_hpo.jobs.ranks import in_own_ranks


class NonFiniteLoss(RuntimeError):
    """A loss became NaN or infinite; the trial is FAILED with this message as its reason."""


def monitored(trainer: pl.Trainer, monitor: str) -> float:
    """The latest value of ``monitor``; raises :class:`UserError` when it was never logged."""
    logged = trainer.callback_metrics
    if monitor not in logged:
        known = sorted(logged)
        raise UserError(
            f"monitor '{monitor}' was not logged; available: {known}.{did_you_mean(monitor, known)}"
        )
    return float(logged[monitor])


def not_validated(monitor: str, max_epochs: int | None) -> UserError:
    """The error of a fit whose monitor was never validated."""
    return UserError(
        f"monitor '{monitor}' needs a validation, but none ran in"
        f" trainer.max_epochs={max_epochs} epochs."
    )


class Reported(Protocol):
    """What a fit needs of a trial: :class:`optuna.trial.Trial`, or one that is played again."""

    def report(self, value: float, step: int) -> None: ...

    def should_prune(self) -> bool: ...


class PruningCallback(pl.Callback):
    """Reports ``monitor`` to an Optuna trial at each validation and prunes when the pruner says so.

    Steps are epochs, counted from ``first_step``. A missing monitor raises, already at the end of
    the sanity check, whose values are never reported. All ranks of a distributed fit stop together:
    ranks that the Trainer started end their fit in good order, and :meth:`check` raises afterwards;
    in this process the fit ends at once.
    """

    def __init__(self, trial: Reported, *, monitor: str, first_step: int = 0) -> None:
        self.trial = trial
        self.monitor = monitor
        self.first_step = first_step
        self.pruned: str | None = None

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.pruned = None

    def on_sanity_check_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        monitored(trainer, self.monitor)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        # With trainer.min_epochs the ranks may go on after the pruner's word.
        if trainer.sanity_checking or self.pruned is not None:
            return
        value, epoch = monitored(trainer, self.monitor), trainer.current_epoch
        pruned = False
        if trainer.is_global_zero:
            self.trial.report(value, step=self.first_step + epoch)
            pruned = self.trial.should_prune()
        if not trainer.strategy.broadcast(pruned):
            return
        self.pruned = f"pruned at epoch {epoch} with {self.monitor}={value:.6g}"
        if in_own_ranks(trainer):
            trainer.should_stop = True
        else:
            self.check()

    def check(self) -> None:
        """Raise :class:`optuna.TrialPruned` when the pruner has ended this fit."""
        if self.pruned is not None:
            raise optuna.TrialPruned(self.pruned)

    def state_dict(self) -> dict[str, Any]:
        return {"pruned": self.pruned}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.pruned = state_dict["pruned"]


class BestEpoch(pl.Callback):
    """Remembers the best value of ``monitor`` and everything else that was logged then.

    Follows the checkpointing rule: a later epoch wins only when it is strictly better.
    """

    def __init__(self, *, monitor: str, mode: str) -> None:
        if mode not in ("min", "max"):
            raise UserError(f"mode must be 'min' or 'max', got mode={mode!r}.")
        self.monitor = monitor
        self.sign = 1.0 if mode == "min" else -1.0
        self._forget()

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._forget()

    def _forget(self) -> None:
        self.value: float | None = None
        self.epoch: int | None = None
        self.metrics: dict[str, float] = {}
        self._awaits_training_metrics = False

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.sanity_checking:
            return
        value = monitored(trainer, self.monitor)
        if self.value is None or self.sign * value < self.sign * self.value:
            self.value, self.epoch = value, trainer.current_epoch
            self.metrics = {k: float(v) for k, v in trainer.callback_metrics.items()}
            self._awaits_training_metrics = True

    # An epoch's training metrics are logged after its validation, behind the callbacks' own hook.
    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._add_training_metrics(trainer)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._add_training_metrics(trainer)

    def _add_training_metrics(self, trainer: pl.Trainer) -> None:
        if self._awaits_training_metrics:
            logged = trainer.callback_metrics.items()
            self.metrics |= {k: float(v) for k, v in logged if k.startswith("train/")}
        self._awaits_training_metrics = False

    def state_dict(self) -> dict[str, Any]:
        """Value, 0-based epoch and metrics of the best epoch so far."""
        return {"value": self.value, "epoch": self.epoch, "metrics": self.metrics}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.value, self.epoch = state_dict["value"], state_dict["epoch"]
        self.metrics = dict(state_dict["metrics"])


class FailOnNonFinite(pl.Callback):
    """Raises as soon as the monitor or any logged loss is NaN or infinite."""

    def __init__(self, *, monitor: str) -> None:
        self.monitor = monitor

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not trainer.sanity_checking:
            self._check(trainer)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._check(trainer)

    def _check(self, trainer: pl.Trainer) -> None:
        for name, value in trainer.callback_metrics.items():
            if (name == self.monitor or name.endswith("loss")) and not math.isfinite(float(value)):
                raise NonFiniteLoss(
                    f"{name} became {float(value)} in epoch {trainer.current_epoch}"
                )
