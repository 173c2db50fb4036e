"""What observes a fit: configured callbacks and loggers, beside ours and in the fit's folder."""

import inspect
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from omegaconf import DictConfig, OmegaConf

from lightning_hpo import flavour
from lightning_hpo.callbacks.loggers import (
    WRITES_FILES,
    MaskedCSVLogger,
    MaskedMLFlowLogger,
    MaskedTensorBoardLogger,
    MaskedWandbLogger,
)
from lightning_hpo.composition.fit_names import names_of
from lightning_hpo.composition.instantiate import make, target_of
from lightning_hpo.errors import UserError
from lightning_hpo.flavour import pl

_CHECKPOINTS = "checkpoints"


@runtime_checkable
class WatchesMonitor(Protocol):
    """A callback that needs a metric to be logged, as Lightning's early stopping does."""

    monitor: str | None


def monitor_of(callback: pl.Callback) -> str | None:
    """The metric that a callback needs, if any."""
    return callback.monitor if isinstance(callback, WatchesMonitor) else None


def callback_nodes(cfg: DictConfig) -> list[DictConfig]:
    """Those of the group ``callbacks`` and of ``trainer.callbacks``; once what stands in both."""
    chosen = listed(cfg.get("callbacks"))
    further = listed(OmegaConf.select(cfg, "trainer.callbacks"))
    return chosen + [node for node in further if node not in chosen]


def callbacks(cfg: DictConfig) -> list[pl.Callback]:
    """The configured callbacks; :class:`UserError` for two that Lightning could not tell apart."""
    made: list[pl.Callback] = [make(node) for node in callback_nodes(cfg)]
    for kind in map(type, made):
        # A Trainer would take one of the other flavour, and fail somewhere inside.
        flavour.settle(flavour.of(kind) or flavour.name())
    # Lightning's own rule, by which a checkpoint keeps the states of callbacks apart.
    keys = [c.state_key for c in made if type(c).state_dict is not pl.Callback.state_dict]
    twice = sorted({key for key in keys if keys.count(key) > 1})
    if twice:
        raise UserError(
            f"a callback must be configured once, got {twice[0]} twice; take one out of"
            " callbacks=[...] or of trainer.callbacks."
        )
    return made


def loggers(cfg: DictConfig, folder: Path, *, aside: Path | None = None) -> list[pl.loggers.Logger]:
    """Those of ``trainer.logger``, then those of the group ``logger``, one run for each fit.

    ``self.logger`` of a module is the first one. Ours for ``metrics.csv``, from which curves and
    the report are read, is always among them. ``aside``: a folder for the files of those that write
    files, in place of the configured one, and for the runs of those that would send them.
    """
    with names_of(folder, Path(cfg.study.dir)):
        made = [_logger(node, cfg, folder, aside) for node in logger_nodes(cfg)]
        if cfg.get("logger") is None:
            # Of a study of an earlier version.
            made.append(MaskedTensorBoardLogger(folder, "", "", default_hp_metric=False))
    if not any(isinstance(logger, MaskedCSVLogger) for logger in made):
        made.append(MaskedCSVLogger(folder, name="", version=""))
    return made


def tensorboards(cfg: DictConfig, folder: Path) -> list[pl.loggers.TensorBoardLogger]:
    """Of the loggers those of TensorBoard, whose runs of a fit in ``folder`` they go on with."""
    nodes = [n for n in logger_nodes(cfg) if _is_kind(n, pl.loggers.TensorBoardLogger)]
    with names_of(folder, Path(cfg.study.dir)):
        made = [_logger(node, cfg, folder, None) for node in nodes]
    return [logger for logger in made if isinstance(logger, pl.loggers.TensorBoardLogger)]


def _is_kind(node: Any, kind: type) -> bool:
    target = target_of(node)
    return inspect.isclass(target) and issubclass(target, kind)


def logger_nodes(cfg: DictConfig) -> list[Any]:
    """Those of ``trainer.logger`` and of the group ``logger``."""
    return [*listed(cfg.trainer.get("logger")), *listed(cfg.get("logger"))]


def check_loggers(cfg: DictConfig, folder: Path) -> None:
    """Raise :class:`UserError` for a logger that would not reach where its runs go."""
    for logger in loggers(cfg, folder):
        if isinstance(logger, MaskedWandbLogger | MaskedMLFlowLogger):
            logger.check_access()


def settings(cfg: DictConfig, folder: Path, callbacks: Sequence[pl.Callback]) -> dict[str, Any]:
    """The Trainer's arguments for these callbacks, with the files of a fit in its ``folder``.

    But for its loggers: who makes some starts a run with each.
    """
    callbacks = list(callbacks)
    checkpointing = cfg.trainer.get("enable_checkpointing")
    has_checkpoints = any(isinstance(callback, pl.callbacks.Checkpoint) for callback in callbacks)
    if checkpointing and not has_checkpoints:
        callbacks.append(pl.callbacks.ModelCheckpoint())
    for callback in callbacks:
        if isinstance(callback, pl.callbacks.ModelCheckpoint) and callback.dirpath is None:
            # Lightning would choose the first logger's folder.
            callback.dirpath = str(folder / _CHECKPOINTS)
    found = {
        "callbacks": callbacks,
        # Where Lightning leaves and looks for files by itself: no fit must find another one's.
        "default_root_dir": str(folder),
        "enable_checkpointing": has_checkpoints if checkpointing is None else checkpointing,
    }
    if any(isinstance(callback, pl.callbacks.ProgressBar) for callback in callbacks):
        # Our default, false, would forbid one that was asked for by name.
        found["enable_progress_bar"] = True
    return found


def check_places(cfg: DictConfig, job_folder: Path, callbacks: Iterable[pl.Callback]) -> None:
    """Raise :class:`UserError` for a place outside the job's folder, which all fits would share."""
    root = cfg.trainer.get("default_root_dir")
    places = {} if root is None else {"trainer.default_root_dir": root}
    for callback in callbacks:
        if isinstance(callback, pl.callbacks.ModelCheckpoint) and callback.dirpath is not None:
            places["ModelCheckpoint's dirpath"] = callback.dirpath
    for what, place in places.items():
        if not Path(place).resolve().is_relative_to(job_folder.resolve()):
            raise UserError(
                f"each fit must keep its files apart, but {what}={place} is one place for all of"
                f" them; leave it out, or begin it with ${{hydra:runtime.output_dir}}/."
            )


def _logger(node: Any, cfg: DictConfig, folder: Path, aside: Path | None) -> pl.loggers.Logger:
    """One run for each fit: loggers that number their folders would race for the next number."""
    target = target_of(node)
    kind = target if inspect.isclass(target) else pl.loggers.Logger
    numbers = issubclass(kind, WRITES_FILES)
    if aside is not None:
        return make(node, **_aside(kind, aside))
    if not numbers or node.get("version") is not None:
        return make(node)
    study_dir, place = Path(cfg.study.dir).resolve(), folder.resolve()
    inside = place.relative_to(study_dir) if place.is_relative_to(study_dir) else Path(place.name)
    return make(node, version=str(cfg.study.name / inside))


def _aside(kind: type, folder: Path) -> dict[str, Any]:
    """Arguments by which a logger keeps to ``folder`` and sends nothing."""
    if issubclass(kind, pl.loggers.MLFlowLogger):
        return {"tracking_uri": f"file:{folder}"}
    if issubclass(kind, pl.loggers.WandbLogger):
        # Not Lightning's own ``offline``, which would set it for the whole process.
        return {"save_dir": str(folder), "mode": "offline"}
    return {"save_dir": str(folder)} if issubclass(kind, WRITES_FILES) else {}


def listed(setting: Any) -> list[Any]:
    """The nodes of a setting: one, a list of them, or named ones, as a group's files give them."""
    if setting is None or isinstance(setting, bool):
        return []
    if OmegaConf.is_list(setting):
        return [node for node in setting if node]
    if not OmegaConf.is_dict(setting):
        raise UserError(
            "callbacks and loggers must be given with their _target_, as one, as a list or by name,"
            f" got {setting}."
        )
    return [setting] if "_target_" in setting else [node for node in setting.values() if node]
