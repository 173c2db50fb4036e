"""The refit rehearsed before the search: what cannot work without a validation is found here.

The refit trains on all training data, so that nothing is left to validate on. A schedule that
watches a validation metric, or a callback that reads one, would end it after all the work is done.
So one batch is trained without a validation, with the real callbacks, loggers and schedule; what
fails there and works with a validation makes the refit keep a part of the data for it.
"""

import logging
import tempfile
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from lightning_hpo import flavour
from lightning_hpo.callbacks.figures import FigureCallback
from lightning_hpo.callbacks.loggers import finishing
from lightning_hpo.errors import UserError, with_type
from lightning_hpo.fitting import build, observers
from lightning_hpo.fitting.plan import TrialPlan
from lightning_hpo.flavour import pl
from lightning_hpo.jobs.first_batch import (
    FOR_ONE_BATCH,
    BehindOneBatch,
    is_ours,
    shorten,
    unfed_schedules,
)


def rehearse_refit(cfg: DictConfig, data: pl.LightningDataModule) -> str | None:
    """Why the refit needs a validation; None: it does not, or there is no refit.

    ``data`` have a validation split.

    Raises:
        UserError: where the refit cannot run either way, or where ``study.refit_validates=false``
            forbids what it needs.
    """
    if not cfg.study.final or TrialPlan.of(cfg).stacked:
        return None
    module, asked = build.module(cfg, data), cfg.study.get("refit_validates")
    if all(map(is_ours, [module, *_callbacks(cfg)])):
        return None
    reason = None if asked else _failure(cfg, data, module, validates=False)
    if reason is None and not asked:
        return None
    if asked is False:
        raise UserError(
            f"a refit on all training data has no validation, but this one needs it ({reason}); let"
            " it keep cv.val_fraction of the data with study.refit_validates=true, or take out what"
            " asks for it."
        )
    otherwise = _failure(cfg, data, build.module(cfg, data), validates=True)
    if otherwise is not None:
        raise UserError(f"the refit must run as the trials do, but: {otherwise}")
    # The first sentence says it; Lightning's next ones are about what to change.
    return None if reason is None else reason.split(". ")[0]


def _callbacks(cfg: DictConfig) -> list[pl.Callback]:
    """Without those that draw, which take long and whose failures cost no fit."""
    made = build.callbacks(cfg, with_validation=False)
    return [callback for callback in made if not isinstance(callback, FigureCallback)]


def _failure(
    cfg: DictConfig, data: pl.LightningDataModule, module: pl.LightningModule, *, validates: bool
) -> str | None:
    """What a fit of one batch raises; None: nothing."""
    quiet = logging.getLogger(flavour.name())
    level = quiet.level
    quiet.setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as folder:
        try:
            _short_fit(cfg, data, module, Path(folder), validates=validates)
        # The module and the callbacks are the user's own.
        except Exception as error:
            return with_type(error)
        finally:
            quiet.setLevel(level)
    return None


def _short_fit(
    cfg: DictConfig,
    data: pl.LightningDataModule,
    module: pl.LightningModule,
    folder: Path,
    *,
    validates: bool,
) -> None:
    changes: dict[str, Any] = {
        **FOR_ONE_BATCH,
        "limit_val_batches": 1 if validates else 0,
        # The real intervals may lie behind one batch and one epoch.
        "val_check_interval": 1.0,
        "check_val_every_n_epoch": 1,
        "num_sanity_val_steps": 0,
        "logger": observers.loggers(cfg, folder, aside=folder / "loggers"),
    }
    trainer = build.trainer(cfg, folder, [*_callbacks(cfg), BehindOneBatch(None)], **changes)
    shorten(module, data)
    with finishing(trainer.loggers):
        trainer.fit(module, datamodule=data)
    _check_schedules(trainer)
    trainer.save_checkpoint(folder / "model.ckpt", weights_only=True)


def _check_schedules(trainer: pl.Trainer) -> None:
    """Also schedules that look at their metric only after some epochs."""
    for schedule in unfed_schedules(trainer, trainer.callback_metrics):
        raise UserError(
            f"{type(schedule.scheduler).__name__} watches {schedule.monitor}, which only a"
            " validation logs"
        )
