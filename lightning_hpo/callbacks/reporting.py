"""What a fit tells the study: intermediate values, the best epoch, and losses that diverged."""

import math
from typing import Any, Protocol

import optuna

from lightning_hpo.callbacks.current import CurrentTrial, current_trial
from lightning_hpo.errors import NonFiniteLoss, UserError, did_you_mean
from lightning_hpo.flavour import pl
from lightning_hpo.protocol.judging import EPOCH
from lightning_hpo.protocol.stages import Stage, is_loss


def validated(trainer: pl.Trainer) -> dict[str, float]:
    """What the validation that ends here has logged, and nothing that was logged before it."""
    # Lightning's public ``callback_metrics`` holds the latest value of every metric of any loop.
    results = trainer._results
    assert results is not None
    return {k: float(v) for k, v in results.metrics(on_step=False)["callback"].items()}


def not_logged(trainer: pl.Trainer, monitor: str, *, validations: bool) -> UserError:
    """The error of a fit that never logged its monitor; ``validations``: whether any ran."""
    known = sorted(trainer.callback_metrics)
    hint = did_you_mean(monitor, known)
    none = "" if validations else f" No validation ran in {trainer.current_epoch} epochs."
    return UserError(f"monitor '{monitor}' was not logged; available: {known}.{hint}{none}")


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


class EpochJudge(pl.Callback):
    """Sees each epoch once, by what its last validation logged, or its training.

    ``trainer.val_check_interval`` may validate several times in an epoch; pruners, best epochs and
    the refit count epochs, so that the last validation in one speaks for it. A monitor that no
    validation logs is the training's: such an epoch is judged when all of it is logged, also what
    the module logs in its own hook at the end. An epoch in which the monitor was not logged is
    passed over; a fit in which it never was ends with :class:`UserError`.
    """

    monitor: str
    epoch_judged = 0
    _latest: dict[str, float] | None = None
    _is_validated = False
    _has_judged = _has_validations = False
    # What Lightning had of the monitor when the epoch began: a new value is another tensor.
    _before: Any = None

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._latest = self._before = None
        self._is_validated = self._has_judged = self._has_validations = False

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        logged = validated(trainer)
        self._has_validations = self._has_validations or not trainer.sanity_checking
        if self.monitor not in logged:
            return
        self._is_validated = True
        if not trainer.sanity_checking:
            self._latest = logged

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._judge_training(trainer)
        self.epoch_judged = trainer.current_epoch

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        logged, self._latest = self._latest, None
        if logged is not None:
            self._has_judged = True
            self.judge(trainer, logged)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._judge_training(trainer)
        if not self._has_judged:
            raise not_logged(trainer, self.monitor, validations=self._has_validations)

    def _judge_training(self, trainer: pl.Trainer) -> None:
        """The training of an epoch has ended, unless this is the first one's start."""
        value = trainer.callback_metrics.get(self.monitor)
        is_new, self._before = value is not self._before, value
        if value is not None and is_new and not self._is_validated:
            self._has_judged = True
            self.judge(trainer, {k: float(v) for k, v in trainer.callback_metrics.items()})

    def judge(self, trainer: pl.Trainer, logged: dict[str, float]) -> None:
        """``epoch_judged`` has ended; ``logged``: in its last validation, the monitor among it.

        Where the training logs the monitor, all that was logged so far.
        """
        raise NotImplementedError


class PruningCallback(EpochJudge):
    """Reports a metric to the study after each epoch and prunes the trial when the pruner says so.

    In an application of your own, among the Trainer's callbacks::

        Trainer(callbacks=[lightning_hpo.PruningCallback(monitor="val/loss")])

    or in YAML ``_target_: lightning_hpo.PruningCallback``. Outside a sweep it does nothing, and so
    under ``python -m lightning_hpo``, which reports by itself.

    Steps are epochs; the sanity check is never reported. All ranks of a distributed fit stop
    together: ranks that the Trainer started end their fit in good order, and :meth:`check` raises
    afterwards; in this process the fit ends at once.

    Args:
        trial: whom to report to; None: the trial for which this process works.
        monitor: the name under which the metric is logged, in training or in validation.
        first_step: the step of the first epoch, at least 0.

    Raises:
        optuna.TrialPruned: in the fit, when the pruner ends it.
        UserError: at the end of a fit in which nothing logged the metric.

    Examples:
        Outside a sweep it has nobody to report to:

        >>> PruningCallback(monitor="val/loss").is_idle
        True
    """

    def __init__(self, trial: Reported | None = None, *, monitor: str, first_step: int = 0) -> None:
        self.trial = current_trial() if trial is None else trial
        self.monitor = monitor
        self.first_step = first_step
        self.pruned: str | None = None

    @property
    def is_idle(self) -> bool:
        """Whether there is no trial to report to."""
        return isinstance(self.trial, CurrentTrial) and self.trial.number is None

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        super().on_fit_start(trainer, pl_module)
        self.pruned = None

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not self.is_idle:
            super().on_train_end(trainer, pl_module)

    def judge(self, trainer: pl.Trainer, logged: dict[str, float]) -> None:
        # With trainer.min_epochs the ranks may go on after the pruner's word.
        if self.pruned is not None:
            return
        value, epoch = logged[self.monitor], self.epoch_judged
        pruned = False
        if trainer.is_global_zero:
            self.trial.report(value, step=self.first_step + epoch)
            pruned = self.trial.should_prune()
        if not trainer.strategy.broadcast(pruned):
            return
        self.pruned = f"pruned at epoch {epoch + 1} with {self.monitor}={value:.6g}"
        if in_own_ranks(trainer):
            trainer.should_stop = True
        else:
            self.check()

    def check(self) -> None:
        """End the trial where the pruner has ended this fit.

        Raises:
            optuna.TrialPruned: where it has.
        """
        if self.pruned is not None:
            raise optuna.TrialPruned(self.pruned)

    def state_dict(self) -> dict[str, Any]:
        return {"pruned": self.pruned}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.pruned = state_dict["pruned"]


class StageOfMetrics(pl.Callback):
    """Notes in which stage of a fit each metric was logged, whatever its name.

    A metric that both stages log under one name is the validation's.
    """

    def __init__(self) -> None:
        self.stages: dict[str, Stage] = {}

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        super().on_fit_start(trainer, pl_module)
        self.stages = {}

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        super().on_validation_end(trainer, pl_module)
        if not trainer.sanity_checking:
            self.stages |= dict.fromkeys(validated(trainer), "val")

    # An epoch's training metrics are logged after its validation, behind the callbacks' own hook.
    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.note_training(trainer)
        super().on_train_epoch_start(trainer, pl_module)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.note_training(trainer)
        super().on_train_end(trainer, pl_module)

    def note_training(self, trainer: pl.Trainer) -> None:
        """An epoch has ended, with its metrics."""
        self.stages = {**dict.fromkeys(trainer.callback_metrics, "train"), **self.stages}

    def state_dict(self) -> dict[str, Any]:
        return {"stages": self.stages}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.stages = dict(state_dict["stages"])


class BestEpoch(StageOfMetrics, EpochJudge):
    """Remembers the best epoch by ``monitor``, all that was logged then and at last, and the curve.

    Follows the checkpointing rule: a later epoch wins only when it is strictly better.
    """

    def __init__(self, *, monitor: str, mode: str) -> None:
        if mode not in ("min", "max"):
            raise UserError(f"mode must be 'min' or 'max', got mode={mode!r}.")
        super().__init__()
        self.monitor = monitor
        self.sign = 1.0 if mode == "min" else -1.0
        self._forget()

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        super().on_fit_start(trainer, pl_module)
        self._forget()

    def _forget(self) -> None:
        self.value: float | None = None
        self.epoch: int | None = None
        self.metrics: dict[str, float] = {}
        self.last: dict[str, float] = {}
        self.judged: list[tuple[int, dict[str, float]]] = []
        self._awaits_training_metrics = False

    def improves(self, value: float) -> bool:
        """Whether this is strictly better than the best so far."""
        return self.value is None or self.sign * value < self.sign * self.value

    def judge(self, trainer: pl.Trainer, logged: dict[str, float]) -> None:
        self.last |= logged
        self.judged.append((self.epoch_judged, dict(logged)))
        if self.improves(logged[self.monitor]):
            self.value, self.epoch = logged[self.monitor], self.epoch_judged
            self.metrics = dict(logged)
            # Of the training itself everything is there.
            self._awaits_training_metrics = self._is_validated

    def note_training(self, trainer: pl.Trainer) -> None:
        super().note_training(trainer)
        logged = trainer.callback_metrics.items()
        found = {k: float(v) for k, v in logged if self.stages[k] == "train"}
        self.last |= {k: v for k, v in found.items() if not math.isnan(v)}
        if self._awaits_training_metrics:
            self.metrics |= found
        self._awaits_training_metrics = False

    @property
    def curve(self) -> dict[str, list[float]]:
        """The epochs that were judged, and what validations logged then; see :class:`FitResult`."""
        names = dict.fromkeys(name for _, logged in self.judged for name in logged)
        kept = [n for n in names if n == self.monitor or self.stages.get(n) == "val"]
        columns = {n: [logged.get(n, math.nan) for _, logged in self.judged] for n in kept}
        return {**columns, EPOCH: [epoch for epoch, _ in self.judged]}

    def state_dict(self) -> dict[str, Any]:
        """Value, 0-based epoch and metrics of the best epoch so far; metrics of the last one."""
        best = {"value": self.value, "epoch": self.epoch, "metrics": self.metrics}
        return {**super().state_dict(), **best, "last": self.last, "judged": self.judged}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(state_dict)
        self.value, self.epoch = state_dict["value"], state_dict["epoch"]
        self.metrics, self.last = dict(state_dict["metrics"]), dict(state_dict["last"])
        self.judged = list(state_dict["judged"])


class FailOnNonFinite(pl.Callback):
    """Raises as soon as the monitor or any logged loss is NaN or infinite."""

    def __init__(self, *, monitor: str) -> None:
        self.monitor = monitor
        self._epoch = 0

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not trainer.sanity_checking:
            self._check(trainer)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._check(trainer)

    # What a module logs in its own hook at the end of an epoch shows behind the callbacks'.
    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._check(trainer)
        self._epoch = trainer.current_epoch

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._check(trainer)

    def _check(self, trainer: pl.Trainer) -> None:
        for name, value in trainer.callback_metrics.items():
            if (name == self.monitor or is_loss(name)) and not math.isfinite(float(value)):
                raise NonFiniteLoss(f"{name} became {float(value)} in epoch {self._epoch + 1}")


def callbacks_of(trainer: pl.Trainer) -> list[pl.Callback]:
    """The list itself, in the order in which they are called."""
    return trainer.callbacks  # type: ignore[attr-defined]


def in_own_ranks(trainer: pl.Trainer) -> bool:
    """Whether ``trainer`` fits in processes that it starts, seen from here or from one of them."""
    # By its name: the Trainer of an application may be of lightning.pytorch.
    kinds = type(trainer.strategy.launcher).__mro__
    return any(kind.__name__ == "_MultiProcessingLauncher" for kind in kinds)
