"""From configuration to objects: data module, module, callbacks, Trainer.

With the entry points and the jobs, this is where configuration stops: everything below takes plain
keyword arguments. A user's own class gets only those of our arguments that its constructor takes.
"""

import copy
import os
import re
import warnings
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf, open_dict

from lightning_hpo.composition.instantiate import make, target_of
from lightning_hpo.data import told
from lightning_hpo.data.base import TensorDataModule
from lightning_hpo.data.folds import Split
from lightning_hpo.data.resplit import Resplit
from lightning_hpo.data.seeding import draw_by, seeded
from lightning_hpo.errors import UserError
from lightning_hpo.fitting import arguments, observers, provenance
from lightning_hpo.flavour import pl

# The key of all data that is no argument of theirs: it is a part of the split.
_LOCK_BOX = "lock_box"
_HOLD_NOTHING = "leave out data.lock_box and study.nested"
# Arguments of a data module that say how its samples are read, not which they are.
_OF_LOADERS = re.compile(r"\w*workers|persistent\w*|pin_memory|prefetch_factor|\w*batch_size")


def data_module(
    cfg: DictConfig, split: Split, *, training_seed: int | None = None
) -> pl.LightningDataModule:
    """The data module of ``cfg.data`` with this split, ready for a fit.

    Whatever it draws is drawn by the study's seed, and leaves the random state of the fit alone.
    ``training_seed``: orders and augments the training batches of a ``TensorDataModule`` that has
    the study's seed, in place of that; which samples there are does not depend on it. Other data's
    loaders draw from the random state of the fit.
    Data that do not take a split are split from outside, unless it is their own.
    """
    if split.method == "kfold" and arguments.takes(cfg.data, "split"):
        arguments.require_offered(cfg, "split", "cross-validated")
    _check_split(cfg.data, split)
    if split.held.holds:
        _check_held(cfg)
    arguments.require_effect(cfg, "augment", of="data")
    ours = {"split": lambda: split, "augment": lambda: _augmentation(cfg), "seed": lambda: cfg.seed}
    with seeded(cfg.seed):
        given = arguments.handed(cfg.data, ours, offered=arguments.offered(cfg))
        data = make(_data_node(cfg), **given)
    draw_by(cfg.seed, data)
    if isinstance(data, TensorDataModule):
        data.training_seed = training_seed if "seed" in given else None
    else:
        # Another one's may ask for the number of devices, as in a fit.
        data.trainer = make(cfg.trainer, logger=False, callbacks=None, enable_checkpointing=False)
    if split.method != "own" and arguments.keeps_its_split(cfg.data):
        _resplit(cfg, data, split)
    data.prepare_data()
    data.setup("fit")
    provenance.note_data(data)
    provenance.note_handed("data", given)
    return data


def module(cfg: DictConfig, data: pl.LightningDataModule) -> pl.LightningModule:
    """The module of ``cfg.model``, with the optimizer of ``cfg.optimizer`` and the data's shape."""
    arguments.require_effect(cfg, "scheduler", of="model")
    # As plain tuples and lists: a module that saves its hyperparameters keeps what it is given, and
    # a checkpoint with OmegaConf's own containers does not open with weights_only.
    ours: dict[str, Any] = {"optimizer": lambda: make(cfg.get("optimizer"), _convert_="all")}
    if cfg.get("scheduler"):
        ours["scheduler"] = lambda: make(cfg.scheduler, _convert_="all")
    shape = told.for_module(data)
    ours |= {name: partial(shape.__getitem__, name) for name in shape}
    given = arguments.handed(cfg.model, ours, offered=arguments.offered(cfg))
    provenance.note_handed("model", given)
    return make(cfg.model, _convert_="all", **given)


def callbacks(cfg: DictConfig, *, with_validation: bool) -> list[pl.Callback]:
    """The configured callbacks; those that watch a monitor need a validation split."""
    made = observers.callbacks(cfg)
    return [c for c in made if with_validation or observers.monitor_of(c) is None]


def trainer(
    cfg: DictConfig, folder: Path, callbacks: Sequence[pl.Callback], **changes: Any
) -> pl.Trainer:
    """A Trainer that keeps its files in ``folder``: TensorBoard's, ``metrics.csv``, checkpoints.

    ``changes``: arguments of the Trainer that differ from ``cfg.trainer``.
    """
    check_accelerator(cfg)
    # Hydra makes the folder and its log before the logger comes.
    warnings.filterwarnings("ignore", message="Experiment logs directory")
    if "logger" not in changes:
        changes["logger"] = observers.loggers(cfg, folder)
    changes = _alone_in_the_world(cfg, changes) | changes
    return make(cfg.trainer, **observers.settings(cfg, folder, callbacks) | changes)


def _alone_in_the_world(cfg: DictConfig, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments by which a fit within a Slurm job is not taken for one of the job's tasks.

    Lightning would count the tasks as ranks of the fit and, at the job's warning signal, have the
    whole job requeued by each fit in it, with a checkpoint that another fit might find. Who asks
    for an environment by name has it.
    """
    strategy = changes.get("strategy", cfg.trainer.get("strategy"))
    if "SLURM_NTASKS" not in os.environ or OmegaConf.is_config(strategy):
        return {}
    given = cfg.trainer.get("plugins")
    nodes = given if OmegaConf.is_list(given) else [] if given is None else [given]
    plugins = [make(node) if OmegaConf.is_config(node) else node for node in nodes]
    if any(isinstance(plugin, pl.plugins.environments.ClusterEnvironment) for plugin in plugins):
        return {}
    return {"plugins": [*plugins, pl.plugins.environments.LightningEnvironment()]}


def check_accelerator(cfg: DictConfig) -> None:
    """Raise :class:`UserError` when a GPU is asked for where none is."""
    accelerator = cfg.trainer.get("accelerator", "auto")
    if accelerator in ("gpu", "cuda") and not torch.cuda.is_available():
        raise UserError(
            f"trainer.accelerator={accelerator} needs a CUDA GPU and none is available; "
            "use trainer.accelerator=auto or cpu."
        )


def _augmentation(cfg: DictConfig) -> Any:
    return make(cfg.augment) if cfg.get("augment") else None


def _resplit(cfg: DictConfig, data: pl.LightningDataModule, split: Split) -> None:
    plain: Any = OmegaConf.to_container(_data_node(cfg), resolve=True)
    kept = {key: value for key, value in plain.items() if not _OF_LOADERS.fullmatch(str(key))}
    Resplit(
        data,
        split,
        seed=cfg.seed,
        eval_dataset=cfg.cv.get("eval_dataset"),
        known_as=(cfg.seed, repr(kept)),
    )


def _data_node(cfg: DictConfig) -> DictConfig:
    """``cfg.data`` with what its target's constructor is to be given."""
    if _LOCK_BOX not in cfg.data:
        return cfg.data
    # With all around it, to which it may refer.
    whole = copy.deepcopy(cfg)
    with open_dict(whole.data):
        del whole.data[_LOCK_BOX]
    return whole.data


def _check_held(cfg: DictConfig) -> None:
    """Samples are held out by whoever splits: by our data modules, or from outside."""
    if arguments.keeps_its_split(cfg.data):
        return
    target = target_of(cfg.data)
    if not (isinstance(target, type) and issubclass(target, TensorDataModule)):
        raise UserError(
            f"{cfg.data._target_} splits its samples itself, so that none can be held out of them;"
            f" derive it from TensorDataModule, let it take no 'split', or {_HOLD_NOTHING}."
        )
    if "split" in cfg.data:
        raise UserError(
            "what is held out of the data must be ours to choose, but data.split is given"
            f" ({cfg.data.split}); take it out, or {_HOLD_NOTHING}."
        )
    arguments.require_offered(cfg, "split", "held out", otherwise=_HOLD_NOTHING)


def _check_split(node: DictConfig, split: Split) -> None:
    # Another one's own split serves the search and, all of its training data, the refit.
    if split.method == "kfold" and "split" in node:
        raise UserError(
            "the folds of a cross-validation must be ours to choose, but data.split is given"
            f" ({node.split}); take it out, or set cv=holdout cv.final=false."
        )
