"""Fits of one configuration on several splits as one stack, and the files that they leave."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import groupby

import numpy as np
from omegaconf import DictConfig

from lightning_hpo.callbacks.records import save_indices
from lightning_hpo.callbacks.reporting import not_validated
from lightning_hpo.composition.instantiate import make
from lightning_hpo.data import told
from lightning_hpo.data.folds import Split
from lightning_hpo.explain.predictions import save_over_grid
from lightning_hpo.fitting import build, stacked_files
from lightning_hpo.fitting.stack_members import member_of
from lightning_hpo.fitting.stackable import (
    Fold,
    checked_stopping,
    epochs_per_step,
    require_alike,
    require_alike_steps,
)
from lightning_hpo.flavour import pl
from lightning_hpo.protocol.folder import JobFolder
from lightning_hpo.protocol.judging import EPOCH
from lightning_hpo.protocol.messages import FitResult, JobContext
from lightning_hpo.protocol.metrics import Columns, Curve, cell, write_metrics
from lightning_hpo.protocol.outputs import OutputsByEpoch
from lightning_hpo.protocol.stages import recorded_stages
from lightning_hpo.stack.module import Group, Report, StackedFit
from lightning_hpo.stack.training import Stopping


class StackedFits:
    """The fits of ``cfg`` on ``splits``, one network each, as one group of a stack.

    ``outputs``: take what each network gives in its validations.

    Raises:
        UserError: for what cannot be stacked.
    """

    def __init__(
        self,
        cfg: DictConfig,
        splits: Sequence[Split],
        seeds: Sequence[int],
        report: Report | None = None,
        outputs: Sequence[OutputsByEpoch] = (),
    ) -> None:
        self.stopping = checked_stopping(cfg)
        self.cfg = cfg
        self.folds = [Fold.of(cfg, split, seed) for split, seed in zip(splits, seeds, strict=True)]
        members = [fold.member for fold in self.folds]
        require_alike_steps(members)
        self.epochs_per_step = epochs_per_step(cfg, members[0])
        self.group = Group(members, report, outputs)
        self._started_s = time.monotonic()

    def results(self) -> list[FitResult]:
        """One result for each split; raises what ended the group before its time."""
        if self.group.error is not None:
            raise self.group.error
        if not all(math.isfinite(end.best_loss) for end in self.group.finished.values()):
            raise not_validated("val/loss", self.cfg.trainer.max_epochs)
        seconds = time.monotonic() - self._started_s
        return [
            self._result(fold, curves, seconds) for fold, curves in enumerate(self.group.curves)
        ]

    def _result(self, fold: int, curves: Columns, seconds: float) -> FitResult:
        end = self.group.finished[fold]
        module = self.folds[fold].module
        metrics = {
            **{name: float(curve[end.best_epoch]) for name, curve in curves.items()},
            "val/loss": end.best_loss,
            "n_parameters": float(sum(p.numel() for p in module.parameters())),
            "seconds": seconds,
        }
        return FitResult(
            end.best_loss,
            end.best_epoch,
            end.epochs,
            metrics,
            seconds,
            last={name: _last(curve) for name, curve in curves.items()},
            stages=recorded_stages({}, curves),
            curve=_validated(curves),
        )

    def write_together(self, context: JobContext) -> None:
        """One ``metrics.csv`` and one event file: means over folds, and each fold now and then."""
        every = self.epochs_per_step
        best = [self.group.finished[fold].best_epoch for fold in range(len(self.folds))]
        folds = self.group.curves
        of_all = {name: [curves[name] for curves in folds] for name in folds[0]}
        means = {name: stacked_files.mean_curve(curves, best) for name, curves in of_all.items()}
        of_folds = {
            f"{name}/fold_{fold}": curve
            for name, curves in of_all.items()
            for fold, curve in enumerate(curves)
        }
        write_metrics(context.folder, means, of_folds, every)
        stacked_files.write_events(context.folder, means, every)

    def write_apart(self, fold: int, context: JobContext) -> None:
        """What a fit of this fold alone leaves: metrics, events, indices, predictions, outputs."""
        columns = self.group.curves[fold]
        write_metrics(context.folder, columns)
        stacked_files.write_events(context.folder, columns, self.epochs_per_step)
        data, module = self.folds[fold].data, self.folds[fold].module
        save_indices(JobFolder(context.folder).indices, data)
        save_over_grid(JobFolder(context.folder).predictions, module, data)
        parts = told.fold_indices(data)
        if self.group.outputs and parts is not None:
            target = data.targets("val").cpu().numpy()
            self.group.outputs[fold].write(JobFolder(context.folder).outputs, parts[1], target)


def _validated(curves: Columns) -> dict[str, list[float]]:
    """The epochs with a validation, and what is told of them."""
    epochs = np.flatnonzero(np.isfinite(curves["val/loss"]))
    of_val = {name: curve for name, curve in curves.items() if name.startswith("val/")}
    return {EPOCH: epochs.tolist(), **{name: c[epochs].tolist() for name, c in of_val.items()}}


def _last(curve: Curve) -> float:
    """The last finite value, with the digits of ``metrics.csv``."""
    finite = curve[np.isfinite(curve)]
    return float(cell(finite, len(finite) - 1))


def train(
    fits: Sequence[StackedFits],
    *,
    stop: Stopping | None = None,
    on_end: Callable[[StackedFits], None] | None = None,
) -> None:
    """Train all of ``fits``, those of one kind in one stack; ``on_end`` sees each that ends.

    ``stop``: None means the early stopping that is configured.
    """
    require_alike([fit.cfg for fit in fits])
    cfg = fits[0].cfg
    owners = {id(fit.group): fit for fit in fits}
    for _, alike in groupby(sorted(fits, key=_kind), key=_kind):
        module = StackedFit(
            [fit.group for fit in sorted(alike, key=_optimizer)],
            epochs=int(cfg.trainer.max_epochs),
            epochs_per_step=fits[0].epochs_per_step,
            stopping=stop or fits[0].stopping,
            on_end=None if on_end is None else lambda group: on_end(owners[id(group)]),
        )
        _trainer(cfg).fit(module)


def train_alone(
    cfg: DictConfig,
    split: Split,
    seed: int,
    context: JobContext,
    *,
    restore_best: bool = True,
    report: Report | None = None,
    outputs: OutputsByEpoch | None = None,
) -> FitResult:
    """One fit as a stack of one network, with the files of a fit alone.

    ``restore_best``: False keeps the weights of the last epoch. ``outputs``: to be filled with what
    the network gives in its validations.
    """
    fits = StackedFits(cfg, [split], [seed], report, [] if outputs is None else [outputs])
    train([fits], stop=replace(fits.stopping, restore_best=restore_best))
    (result,) = fits.results()
    fits.write_apart(0, context)
    return result


def train_in_place(
    cfg: DictConfig,
    module: pl.LightningModule,
    data: pl.LightningDataModule,
    epochs: int,
    *,
    seed: int,
    report: Report | None = None,
) -> dict[str, Curve]:
    """Train ``module`` on all of ``data`` for ``epochs``, without a validation; its curves (E,).

    ``seed``: of its dropout.
    """
    checked_stopping(cfg)
    member = member_of(module, data, seed, epochs=epochs)
    group, step = Group([member], report), epochs_per_step(cfg, member)
    fit = StackedFit([group], epochs=epochs, epochs_per_step=step, stopping=Stopping())
    _trainer(cfg).fit(fit)
    if group.error is not None:
        raise group.error
    return {name: c for name, c in group.curves[0].items() if name.startswith("train/")}


def _trainer(cfg: DictConfig) -> pl.Trainer:
    build.check_accelerator(cfg)
    return make(
        cfg.trainer,
        max_epochs=1,  # of Lightning's: the stack counts its own
        check_val_every_n_epoch=1,
        limit_val_batches=0,
        num_sanity_val_steps=0,
        logger=False,
        callbacks=None,  # one that stops early is the stack's own to follow
        enable_checkpointing=False,
        enable_progress_bar=False,
    )


def _kind(fits: StackedFits) -> str:
    return fits.group.members[0].kind


def _optimizer(fits: StackedFits) -> str:
    # Networks with one kind of optimizer beside each other are updated together.
    return type(fits.group.members[0].optimizer).__name__
