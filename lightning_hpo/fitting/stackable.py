"""From a configuration to what a stack needs; what cannot be stacked is named, not trained wrongly.

Stacked networks are trained by the arithmetic of stack/, not by a Trainer's: a setting that
it does not know must be refused, since otherwise it would silently do nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from omegaconf import DictConfig, OmegaConf

from lightning_hpo.data.base import TensorDataModule
from lightning_hpo.data.folds import Split
from lightning_hpo.errors import UserError
from lightning_hpo.fitting import build, splits
from lightning_hpo.fitting.observers import listed
from lightning_hpo.fitting.plan import steps_are_folds
from lightning_hpo.fitting.stack_members import SERIAL, member_of
from lightning_hpo.flavour import pl
from lightning_hpo.stack.learner import Member
from lightning_hpo.stack.training import Stopping

# With cv.epochs_per_step=auto: epochs of a single step that are trained at a time.
_SHORT_EPOCHS = 50
# Trainer settings that change the training of a network, and their values that change nothing.
_NEUTRAL: dict[str, tuple[Any, ...]] = {
    "precision": (None, "32-true", "32", 32),
    "gradient_clip_val": (None, 0),
    "accumulate_grad_batches": (None, 1),
    "max_steps": (None, -1),
    "min_epochs": (None,),
    "min_steps": (None,),
    "max_time": (None,),
    "limit_train_batches": (None, 1.0),
    "limit_val_batches": (None, 1.0),
    "devices": (1, "1", "auto"),
}


@dataclass(frozen=True)
class Fold:
    """A network of the stack, the module that it belongs to, and its data module."""

    member: Member
    module: Any
    data: TensorDataModule

    @classmethod
    def of(cls, cfg: DictConfig, split: Split, seed: int) -> "Fold":
        """Seeded and built as a fit of the fold alone is, so both begin with the same weights."""
        pl.seed_everything(seed, verbose=False)
        data: Any = build.data_module(cfg, split, training_seed=splits.search_training_seed(cfg))
        module: Any = build.module(cfg, data)
        epochs = int(cfg.trainer.max_epochs)
        return cls(member_of(module, data, seed, epochs=epochs), module, data)


def require_alike_steps(members: Sequence[Member]) -> None:
    """Raise :class:`UserError` for networks of one stack that take different numbers of steps."""
    steps = sorted({member.steps_per_epoch for member in members})
    if len(steps) > 1:
        raise UserError(
            "stacked networks take equally many minibatches in an epoch, got"
            f" {steps[0]} and {steps[-1]} of different folds; set another data.batch_size, or"
            f" {SERIAL}"
        )


def epochs_per_step(cfg: DictConfig, member: Member) -> int:
    """Epochs that a stack trains at a time, for ``auto`` by how many steps one of them has."""
    asked = cfg.cv.epochs_per_step
    if asked != "auto":
        return int(asked)
    return _SHORT_EPOCHS if member.steps_per_epoch == 1 else 1


def checked_stopping(cfg: DictConfig) -> Stopping:
    """The early stopping of ``cfg``; :class:`UserError` for settings that a stack cannot honour."""
    if cfg.monitor != "val/loss" or cfg.mode != "min":
        raise UserError(
            "stacked networks are monitored by val/loss, mode=min, got"
            f" monitor={cfg.monitor}, mode={cfg.mode}; {SERIAL}"
        )
    step = cfg.cv.get("epochs_per_step")
    if step != "auto" and (not isinstance(step, int) or step < 1):
        raise UserError(
            "cv.epochs_per_step must be an integer of at least 1 or auto, got"
            f" cv.epochs_per_step={step}."
        )
    for name, neutral in _NEUTRAL.items():
        value = cfg.trainer.get(name, neutral[0])
        if value not in neutral:
            raise UserError(f"stacked networks do not know trainer.{name}={value}; {SERIAL}")
    if cfg.trainer.get("enable_checkpointing") or _further_loggers(cfg):
        raise UserError(
            "stacked networks have loggers of their own and no checkpoints, got trainer.logger,"
            " another logger than tensorboard and csv, or trainer.enable_checkpointing; take it"
            f" out, or {SERIAL}"
        )
    if steps_are_folds(OmegaConf.select(cfg, "pruner._target_")):
        raise UserError(
            "the Wilcoxon pruner compares fold after fold, but stacked folds end together;"
            f" choose pruner=median, or {SERIAL}"
        )
    return _stopping(cfg)


def _further_loggers(cfg: DictConfig) -> bool:
    chosen = set(cfg.get("logger") or {})
    return bool(listed(cfg.trainer.get("logger"))) or not chosen <= {"tensorboard", "csv"}


def _stopping(cfg: DictConfig) -> Stopping:
    """The early stopping of ``cfg.callbacks``, for each network by itself."""
    callbacks = build.callbacks(cfg, with_validation=True)
    every = int(cfg.trainer.get("check_val_every_n_epoch") or 1)
    found = [callback for callback in callbacks if isinstance(callback, pl.callbacks.EarlyStopping)]
    for callback in callbacks:
        if not isinstance(callback, pl.callbacks.EarlyStopping) or len(found) > 1:
            raise UserError(
                "stacked networks know one EarlyStopping and no other callback, got"
                f" {type(callback).__name__}; {SERIAL}"
            )
    if not found:
        return Stopping(validate_every=every)
    (early,) = found
    thresholds = (early.stopping_threshold, early.divergence_threshold)
    if early.monitor != cfg.monitor or early.mode != cfg.mode or thresholds != (None, None):
        raise UserError(
            "stacked networks stop by patience on the monitor, got an EarlyStopping with"
            f" monitor={early.monitor}, mode={early.mode} and thresholds {thresholds}; {SERIAL}"
        )
    return Stopping(early.patience, abs(early.min_delta), every)


def require_alike(configs: Sequence[DictConfig]) -> None:
    """Trials of one stack share everything but model, optimizer and data; raises, naming the rest.

    ``study`` and ``seed`` may differ too: they do not decide how a network is trained.
    """
    for part in ("trainer", "callbacks", "cv", "augment", "monitor", "mode"):
        values = [_plain(cfg.get(part)) for cfg in configs]
        for value in values[1:]:
            if value != values[0]:
                raise UserError(
                    f"trials that are stacked must share {part}, got"
                    f" {_difference(values[0], value)}; set hydra/launcher=workers."
                )


def _plain(node: Any) -> Any:
    return OmegaConf.to_container(node, resolve=True) if OmegaConf.is_config(node) else node


def _difference(a: Any, b: Any) -> str:
    if not (isinstance(a, dict) and isinstance(b, dict)):
        return f"{a} and {b}"
    name = next(k for k in sorted({*a, *b}) if a.get(k) != b.get(k))
    return f"{name}={a.get(name)} and {name}={b.get(name)}"
