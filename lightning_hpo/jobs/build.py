"""From configuration to objects: data module, module, callbacks, Trainer.

With the entry points and the jobs, this is where configuration stops: everything below takes plain
keyword arguments. A user's own class gets only those of our arguments that its constructor takes.
"""

import inspect
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from hydra.utils import get_class
from omegaconf import DictConfig

from lightning_hpo.callbacks.loggers import MaskedCSVLogger, MaskedTensorBoardLogger
from lightning_hpo.data.folds import Split
from lightning_hpo.errors import UserError
from lightning_hpo.instantiate import make
from lightning_hpo.jobs import provenance


def data_module(cfg: DictConfig, split: Split) -> pl.LightningDataModule:
    """The data module of ``cfg.data`` with this split, ready for a fit."""
    ours = {"split": split, "augment": _augmentation(cfg), "seed": cfg.seed}
    data = make(cfg.data, **_accepted(cfg.data, ours, needed=_needs(split)))
    data.prepare_data()
    data.setup("fit")
    provenance.note_data(data)
    return data


def module(cfg: DictConfig, data: pl.LightningDataModule) -> pl.LightningModule:
    """The module of ``cfg.model``, with the optimizer of ``cfg.optimizer`` and the data's shape."""
    ours: dict[str, Any] = {"optimizer": make(cfg.optimizer)}
    if cfg.get("scheduler"):
        ours["scheduler"] = make(cfg.scheduler)
        _check_scheduler(cfg.model)
    for name in ("input_shape", "num_classes"):
        if name not in cfg.model and hasattr(data, name):
            ours[name] = getattr(data, name)
    # As plain tuples and lists: a module that saves its hyperparameters keeps what it is given, and
    # a checkpoint with OmegaConf's own containers does not open with weights_only.
    return make(cfg.model, _convert_="all", **_accepted(cfg.model, ours, needed=()))


def callbacks(cfg: DictConfig, *, with_validation: bool) -> list[pl.Callback]:
    """The configured callbacks; those that watch a monitor need a validation split."""
    made = [make(callback) for callback in cfg.callbacks.values() if callback]
    return [c for c in made if with_validation or not hasattr(c, "monitor")]


def trainer(
    cfg: DictConfig, folder: Path, callbacks: Sequence[pl.Callback], **changes: Any
) -> pl.Trainer:
    """A Trainer that logs to TensorBoard and ``metrics.csv`` in ``folder``, without checkpoints.

    ``changes``: arguments of the Trainer that differ from ``cfg.trainer``.
    """
    check_accelerator(cfg)
    # Hydra makes the folder and its log before the logger comes.
    warnings.filterwarnings("ignore", message="Experiment logs directory")
    return make(
        cfg.trainer,
        logger=[
            MaskedTensorBoardLogger(folder, name="", version="", default_hp_metric=False),
            MaskedCSVLogger(folder, name="", version=""),
        ],
        callbacks=list(callbacks),
        enable_checkpointing=False,
        **changes,
    )


def check_accelerator(cfg: DictConfig) -> None:
    """Raise :class:`UserError` when a GPU is asked for where none is."""
    accelerator = cfg.trainer.get("accelerator", "auto")
    if accelerator in ("gpu", "cuda") and not torch.cuda.is_available():
        raise UserError(
            f"trainer.accelerator={accelerator} needs a CUDA GPU and none is available; "
            "use trainer.accelerator=auto or cpu."
        )


def n_folds(cfg: DictConfig) -> int:
    """How many fits a trial of the search consists of."""
    if cfg.cv.search not in ("holdout", "kfold"):
        raise UserError(f"cv.search must be 'holdout' or 'kfold', got cv.search={cfg.cv.search}.")
    return int(cfg.cv.n_splits) if cfg.cv.search == "kfold" else 1


def search_split(cfg: DictConfig, fold: int) -> Split:
    """The split that a trial validates on; the same in every trial of a study."""
    return _split(cfg, method=cfg.cv.search, fold=fold)


def final_split(cfg: DictConfig, fold: int | None) -> Split:
    """Fold ``fold`` of the final cross-validation; None: all training data, for the refit."""
    if fold is None:
        return _split(cfg, method="none", fold=0)
    return _split(cfg, method="kfold", fold=fold)


def holdout_split(cfg: DictConfig) -> Split:
    """The split of the final job's further fit: ``cv.val_fraction`` of the data validate."""
    return _split(cfg, method="holdout", fold=0)


def _split(cfg: DictConfig, *, method: str, fold: int) -> Split:
    return Split(
        method=method,  # type: ignore[arg-type]  # validated by Split
        n_splits=cfg.cv.n_splits,
        fold=fold,
        val_fraction=cfg.cv.val_fraction,
        stratified=cfg.cv.stratified,
        seed=cfg.seed,
    )


def _augmentation(cfg: DictConfig) -> Any:
    return make(cfg.augment) if cfg.augment else None


def _check_scheduler(node: DictConfig) -> None:
    if not _accepted(node, {"scheduler": None}, needed=()):
        raise UserError(
            f"{node._target_} must take the argument 'scheduler' to follow a learning-rate"
            " schedule; use scheduler=none, or configure the schedule in the module itself."
        )


def _needs(split: Split) -> tuple[str, ...]:
    # Another one's own split serves the search and, all of its training data, the refit.
    return ("split",) if split.method == "kfold" else ()


def _accepted(
    node: DictConfig, ours: Mapping[str, Any], *, needed: Sequence[str]
) -> dict[str, Any]:
    parameters = inspect.signature(get_class(node._target_)).parameters
    anything = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    for name in needed:
        if name not in parameters and not anything:
            raise UserError(
                f"{node._target_} must take the argument '{name}' to be cross-validated; derive it"
                " from TensorDataModule, or set cv=holdout cv.final=false."
            )
    return {name: value for name, value in ours.items() if anything or name in parameters}
