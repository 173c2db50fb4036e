"""Before the clock starts: the plan by our configuration, the images for torchvision, the split."""

import gzip
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

from benchmarks.race.plan import Plan
from lightning_hpo.data.fashion_mnist import CHECKSUMS, SYSTEM_DIR, default_cache_dir, locate
from lightning_hpo.entry import config_dir
from lightning_hpo.fitting import build, splits
from lightning_hpo.strategies.pruning import make_pruner

SEARCH = ("+experiment=cnn_dropout", "+budget=quick", "study.final=false")


def composed(*overrides: str) -> DictConfig:
    """The configuration of the search as ours composes it."""
    with initialize_config_dir(str(config_dir())):
        return compose("config", overrides=[*SEARCH, *overrides], return_hydra_config=True)


def prepare(folder: Path, *, seed: int, trials: int | None, train_limit: int | None) -> Plan:
    """The plan of one seed, with its files below ``folder``; None: as the budget says."""
    told = [f"seed={seed}"]
    told += [] if trials is None else [f"study.n_trials={trials}"]
    told += [] if train_limit is None else [f"data.train_limit={train_limit}"]
    cfg = composed(*told)
    split = folder / f"split_{seed}_{cfg.data.train_limit}.npz"
    folder.mkdir(parents=True, exist_ok=True)
    unpack(folder)
    save_split(cfg, split)
    pruner: Any = make_pruner(cfg.pruner, monitor=cfg.monitor)
    return Plan(
        seed=seed,
        trials=cfg.study.n_trials,
        train_limit=cfg.data.train_limit,
        startup_trials=cfg.study.n_startup_trials,
        epochs=cfg.trainer.max_epochs,
        batch_size=cfg.data.batch_size,
        eval_batch_size=cfg.data.eval_batch_size,
        pruner_startup_trials=pruner._n_startup_trials,
        warmup_epochs=pruner._n_warmup_steps,
        weights_seeds=[splits.search_seed(cfg, n, 0) for n in range(2 * cfg.study.n_trials + 8)],
        configured=configured(cfg),
        data=str(folder),
        split=str(split),
    )


def configured(cfg: DictConfig) -> dict[str, Any]:
    """The configured values of what is searched, under the names that the others give it."""
    of_model = ("filters_1", "filters_2", "neurons_1", "neurons_2", "dropout")
    point = {"optimizer": cfg.hydra.runtime.choices.optimizer, "lr": cfg.optimizer.lr}
    return point | {name: cfg.model[name] for name in of_model}


def unpack(folder: Path) -> None:
    """The images where torchvision looks for them, as its own download leaves them."""
    found = locate(default_cache_dir(), Path(SYSTEM_DIR))
    raw = folder / "FashionMNIST" / "raw"
    raw.mkdir(parents=True, exist_ok=True)
    for name in CHECKSUMS:
        target = raw / name.removesuffix(".gz")
        if not target.is_file():
            with gzip.open(found / name) as packed, target.open("wb") as file:
                shutil.copyfileobj(packed, file)


def save_split(cfg: DictConfig, path: Path) -> None:
    """Which images train and validate in ours; mean and deviation of the former, in [0, 1]."""
    data: Any = build.data_module(cfg, splits.search_split(cfg, 0), training_seed=None)
    data.setup("fit")
    kept = np.arange(data.n_samples) if data.kept is None else data.kept
    moments = {"mean": data.mean.numpy() / 255, "std": data.std.numpy() / 255}
    np.savez(path, train=kept[data.train_indices], val=kept[data.val_indices], **moments)
