"""The network of a trial's first fit, kept in the trial's folder until the shown trials are drawn.

With it a trial is shown as it was told without being fitted once more. Kept are networks of which
all of a study's trials together take at most :data:`MOST_BYTES`, and only where the study shows
some; for any other the trial is fitted again, to the same bits.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import optuna
import torch
from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from lightning_hpo.callbacks.records import KeptWeights, copied
from lightning_hpo.fitting.plan import TrialPlan
from lightning_hpo.flavour import pl
from lightning_hpo.protocol.files import is_whole_checkpoint
from lightning_hpo.protocol.folder import JobFolder

# Of all trials of a study together.
MOST_BYTES = 2**30


@dataclass(frozen=True)
class TrialNetwork:
    """A trial's value, the epochs of its first fold, and that fold's weights as a state dict."""

    value: float
    epochs: int
    weights: dict[str, Tensor]


@contextmanager
def keeping(
    cfg: DictConfig, plan: TrialPlan, folder: Path, live: object, fold: int
) -> Iterator[list[pl.Callback]]:
    """The observers of a fit that keep its network in the trial's ``folder``, if it is to be kept.

    It is written when the fit ends or is pruned. ``live``: what the trial reports to; of one that
    is played again, outside its study, nothing is kept.
    """
    if fold > 0 or not isinstance(live, optuna.trial.Trial) or not _shows_some(cfg):
        yield []
        return
    most_bytes = MOST_BYTES // max(1, cfg.study.n_trials)
    observer = _SmallWeights(
        monitor=cfg.monitor, mode=cfg.mode, latest=plan.scheduled, most_bytes=most_bytes
    )
    try:
        yield [observer]
    except optuna.TrialPruned:
        _write(observer.pruned(), folder)
        raise
    _write(observer.complete(), folder)


def stored(trial: JobFolder) -> TrialNetwork | None:
    """What was kept of ``trial``; None: nothing, or a file that is damaged."""
    if not is_whole_checkpoint(trial.network):
        return None
    return TrialNetwork(**torch.load(trial.network, weights_only=True))


def _shows_some(cfg: DictConfig) -> bool:
    return all(
        OmegaConf.select(cfg, f"study.{key}", default=False) for key in ("final", "showcase")
    )


def _write(network: TrialNetwork | None, folder: Path) -> None:
    if network is None:
        return
    path = JobFolder(folder).network
    unfinished = path.with_suffix(".unfinished")
    torch.save(asdict(network), unfinished)
    os.replace(unfinished, path)


class _SmallWeights(KeptWeights):
    """Keeps nothing of a fit in ranks, of a large network, or of one whose state is no tensors."""

    def __init__(self, *, monitor: str, mode: str, latest: bool, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self.epochs = 0
        super().__init__(monitor=monitor, mode=mode, latest=latest)

    def _copy(self, pl_module: pl.LightningModule) -> None:
        weights = pl_module.state_dict()
        if pl_module.trainer.world_size > 1:
            return
        if not all(isinstance(value, Tensor) for value in weights.values()):
            return
        if sum(tensor.nbytes for tensor in weights.values()) <= self.most_bytes:
            self.validated = copied(weights)

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.epochs = trainer.current_epoch

    def complete(self) -> TrialNetwork | None:
        value = self.latest_value if self.latest else self.value
        return self._network(value, self.epochs, self.weights)

    def pruned(self) -> TrialNetwork | None:
        return self._network(self.latest_value, len(self.judged), self.validated)

    def _network(
        self, value: float | None, epochs: int, weights: dict[str, Tensor]
    ) -> TrialNetwork | None:
        return TrialNetwork(value, epochs, weights) if weights and value is not None else None

    def state_dict(self) -> dict[str, object]:
        """Nothing: a checkpoint that the fit writes holds its network once."""
        return {}
