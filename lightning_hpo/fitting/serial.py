"""One fit of one network on one split, by Lightning's Trainer."""

import time
from collections.abc import Sequence

from omegaconf import DictConfig

from lightning_hpo.callbacks.loggers import finishing
from lightning_hpo.callbacks.records import CurvesLayout, HyperparameterSummary
from lightning_hpo.callbacks.reporting import (
    BestEpoch,
    FailOnNonFinite,
    PruningCallback,
    not_validated,
)
from lightning_hpo.data.folds import Split
from lightning_hpo.errors import NonFiniteLoss, UserError
from lightning_hpo.fitting import build, ranks, splits
from lightning_hpo.fitting.boundary import lightning_mistakes
from lightning_hpo.fitting.plan import TrialPlan
from lightning_hpo.flavour import pl
from lightning_hpo.protocol.messages import FitResult, JobContext


def fit(
    cfg: DictConfig,
    split: Split,
    seed: int,
    context: JobContext,
    observers: Sequence[pl.Callback] = (),
) -> FitResult:
    """Train on one split; the monitor's best value, and what else validations logged."""
    # Before anything is instantiated: initialisation and dropout derive from it.
    pl.seed_everything(seed, verbose=False)
    started_s = time.monotonic()
    best = BestEpoch(monitor=cfg.monitor, mode=cfg.mode)
    data = build.data_module(cfg, split, training_seed=splits.search_training_seed(cfg))
    module = build.module(cfg, data)
    callbacks = [
        FailOnNonFinite(monitor=cfg.monitor),
        best,
        HyperparameterSummary(context.searched, best, at_end=TrialPlan.of(cfg).scheduled),
        CurvesLayout(best),
        *observers,
        *build.callbacks(cfg, with_validation=True),
    ]
    reporters = [o for o in observers if isinstance(o, PruningCallback)]
    known = (UserError, NonFiniteLoss, pl.utilities.exceptions.MisconfigurationException)
    with lightning_mistakes():
        trainer = build.trainer(cfg, context.folder, callbacks)
        with finishing(trainer.loggers):
            ranks.check_strategy(trainer)
            ranks.check_storage(trainer, [reporter.trial for reporter in reporters])
            epochs = ranks.fit(trainer, module, data, folder=context.folder, errors=known)
            for reporter in reporters:
                reporter.check()
    if best.value is None or best.epoch is None:
        raise not_validated(cfg.monitor, trainer.max_epochs)
    seconds = time.monotonic() - started_s
    size = sum(p.numel() for p in module.parameters())
    metrics = {**best.metrics, "n_parameters": float(size), "seconds": seconds}
    return FitResult(
        best.value,
        best.epoch,
        epochs,
        metrics,
        seconds,
        last=best.last,
        stages=best.stages,
        curve=best.curve,
    )
