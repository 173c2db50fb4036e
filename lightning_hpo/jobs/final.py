"""The final job: from the best parameters to an evaluated, explained model.

One job for each fold of the cross-validation, one that trains on a part of the data for all epochs
(``cv.final_holdout``), then one for each refit on all training data, which opens the test set once.
Each leaves its result as JSON in ``final/``.
"""

import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

from omegaconf import DictConfig, OmegaConf

from lightning_hpo.callbacks.inspection import Attribution
from lightning_hpo.callbacks.loggers import finishing
from lightning_hpo.callbacks.outputs import OutputsOfValidations
from lightning_hpo.callbacks.progress import EpochProgress, ProgressFile
from lightning_hpo.callbacks.records import BestPredictions, FoldIndices, LastPredictions
from lightning_hpo.callbacks.reporting import StageOfMetrics, callbacks_of
from lightning_hpo.composition.instantiate import make
from lightning_hpo.data import told
from lightning_hpo.data.folds import Split
from lightning_hpo.errors import UserError
from lightning_hpo.explain.attribution import AttributionMethod
from lightning_hpo.explain.final import explain
from lightning_hpo.explain.reliability import calibrate
from lightning_hpo.explain.weights import layer_weights
from lightning_hpo.fitting import build, ranks, splits
from lightning_hpo.fitting.hyperparameters import plain_splits
from lightning_hpo.fitting.observers import callback_nodes
from lightning_hpo.fitting.plan import TrialPlan
from lightning_hpo.fitting.serial import fit
from lightning_hpo.fitting.stacked import train_alone, train_in_place
from lightning_hpo.flavour import pl
from lightning_hpo.jobs.final_test import run_test
from lightning_hpo.jobs.fit_facts import fit_facts
from lightning_hpo.protocol.files import (
    is_whole_checkpoint,
    stored_object,
    write_json,
    written_object,
)
from lightning_hpo.protocol.folder import FinalFolder, JobFolder
from lightning_hpo.protocol.judging import (
    FoldCurve,
    Rule,
    curve_of,
    judged,
    metrics_at,
    refit_epochs,
)
from lightning_hpo.protocol.messages import FitResult, JobContext
from lightning_hpo.protocol.metrics import Columns, write_metrics
from lightning_hpo.protocol.outputs import OutputsByEpoch, settle
from lightning_hpo.protocol.seeds import derive_seed
from lightning_hpo.protocol.stages import Stage, recorded_stages

# What a result says of figures until they are drawn.
_WHILE_DRAWING = {"figures": "the process ended while they were drawn"}


def run_fold(cfg: DictConfig, context: JobContext) -> dict[str, Any]:
    """Fit fold ``study.fold`` with the best parameters; what it logged, by epoch.

    At which epoch it is judged (``judged_at``, see protocol/judging.py) the other folds may decide,
    when they are done. Its own ``value`` and ``metrics`` are until then those of its best epoch. No
    epoch is chosen under a schedule, whose last one counts, nor where ``study.final_epochs`` says
    how long the refit trains: there they are those of the epoch that counts.
    """
    fold, final_epochs = int(cfg.study.fold), cfg.study.get("final_epochs")
    seed = derive_seed(cfg.seed, "fold", fold)
    plan, split = TrialPlan.of(cfg), splits.final_split(cfg, fold)
    rule: Rule = "last" if plan.scheduled else "others" if final_epochs is None else "fixed"
    last = rule == "last"
    outputs = OutputsOfValidations(JobFolder(context.folder).outputs, only_last=last)
    result = _fit_part(cfg, plan, split, seed, context, keep_best=not last, outputs=outputs)
    found = {
        "fold": fold,
        "repeats": split.repeats,
        "repeat": fold // split.n_splits,
        "judged_at": rule,
        "mode": cfg.mode,
        "final_epochs": final_epochs,
        **asdict(_judged(result, rule, cfg)),
    }
    return _write(context.folder, {**found, "no_samples": outputs.reason})


def _judged(result: FitResult, rule: Rule, cfg: DictConfig) -> FitResult:
    """With the values of the epoch that counts, where that is known."""
    if rule == "last":
        at_end = {**result.metrics, **result.last}
        return replace(result, value=result.last[cfg.monitor], metrics=at_end)
    if rule == "others":
        return result
    epoch = FoldCurve.of(result.curve, cfg.monitor).reached(int(cfg.study.final_epochs) - 1)
    # What the training logged is known of the best epoch alone.
    others = {k: v for k, v in result.metrics.items() if result.stages.get(k) != "train"}
    metrics = {**others, **metrics_at(result.curve, epoch)}
    return replace(result, value=metrics[cfg.monitor], metrics=metrics)


def run_holdout(cfg: DictConfig, context: JobContext) -> dict[str, Any]:
    """Fit a part of the training data for all epochs; metrics at the best and at the last one.

    ``new_split``: whether the samples that validate were drawn for this fit, or are those of the
    search, which chose the winner by them.
    """
    cfg = without_early_stopping(cfg)
    seed = derive_seed(cfg.seed, "holdout")
    plan, split = TrialPlan.of(cfg), splits.holdout_split(cfg)
    result = _fit_part(cfg, plan, split, seed, context, keep_best=False)
    found = {"val_fraction": cfg.cv.val_fraction, "new_split": splits.holdout_is_new(cfg)}
    found |= asdict(result)
    return _write(context.folder, found)


def _fit_part(
    cfg: DictConfig,
    plan: TrialPlan,
    split: Split,
    seed: int,
    context: JobContext,
    *,
    keep_best: bool,
    outputs: OutputsOfValidations | None = None,
) -> FitResult:
    """Fit a part of the data; what is kept of the network is from its best or its last epoch.

    ``outputs``: leaves what the network gave in its validations.
    """
    if plan.stacked:
        file = ProgressFile(context.folder, epochs=cfg.trainer.max_epochs, metric=cfg.monitor)
        return train_alone(
            cfg,
            split,
            seed,
            context,
            restore_best=keep_best,
            report=file.report,
            outputs=None if outputs is None else OutputsByEpoch(outputs.only_last),
        )
    folder = JobFolder(context.folder)
    kept = (
        BestPredictions(folder.predictions, monitor=cfg.monitor, mode=cfg.mode)
        if keep_best
        else LastPredictions(folder.predictions)
    )
    progress = EpochProgress(context.folder, monitor=cfg.monitor)
    observers = [FoldIndices(folder.indices), kept, progress, *([outputs] if outputs else [])]
    return fit(cfg, split, seed, context, observers)


def without_early_stopping(cfg: DictConfig) -> DictConfig:
    """A copy of ``cfg`` without its callbacks that are an ``EarlyStopping``."""
    kept = [n for n in callback_nodes(cfg) if not isinstance(make(n), pl.callbacks.EarlyStopping)]
    copy = cfg.copy()
    named = {name: node for name, node in (cfg.get("callbacks") or {}).items() if node in kept}
    OmegaConf.update(copy, "callbacks", named, merge=False, force_add=True)
    if OmegaConf.select(cfg, "trainer.callbacks"):
        OmegaConf.update(copy, "trainer.callbacks", kept, merge=False)
    return copy


def run_refit(cfg: DictConfig, context: JobContext) -> dict[str, Any]:
    """Train on all training data and test once; the first refit is also saved and explained.

    The checkpoint is there before the test, and the result before the first figure: what fails
    later costs nothing that was found, and a process that dies while it draws costs no second fit.
    """
    with ExitStack() as ends:
        return _refit(cfg, context, ends)


def _refit(cfg: DictConfig, context: JobContext, ends: ExitStack) -> dict[str, Any]:
    plan, final_dir = TrialPlan.of(cfg), context.folder.parent
    started_s = time.monotonic()
    number = cfg.study.get("refit")
    if number is None:
        _settle_folds(final_dir, cfg.monitor)
        if (found := _died_drawing(context.folder)) is not None:
            return found
    seed, training_seed = _refit_seeds(cfg.seed, number)
    pl.seed_everything(seed, verbose=False)
    split = splits.refit_split(cfg)
    data = build.data_module(cfg, split, training_seed=training_seed)
    module = build.module(cfg, data)
    untrained = layer_weights(module)
    trainer, trained = _train_refit(cfg, plan, module, data, training_seed, context, ends)
    checkpoint = FinalFolder(final_dir).checkpoint_of(context.folder.name)
    kept = number is None or bool(cfg.study.get("ensemble"))
    # A stack has a trainer of its own; the one here knows the module only by its test.
    if kept and not plan.stacked:
        _save(trainer, data, checkpoint)
    tested = run_test(trainer, module, data, JobFolder(context.folder).samples)
    if kept and plan.stacked:
        _save(trainer, data, checkpoint)
    if trained.curves is not None:
        # After the test, whose logger would write over it.
        write_metrics(context.folder, trained.curves)
    found = {"seed": seed, "epochs": trained.epochs, **tested._asdict()}
    found |= {"stages": trained.stages, "val_fraction": splits.refit_val_fraction(cfg)}
    found |= fit_facts(module, data, trainer)
    if number is None:
        found["data_description"] = told.description(data) or None
    if number is None and not is_of_outer_fold(cfg):
        found["calibration"] = calibrate(FinalFolder(final_dir), classes=told.num_classes(data) > 0)
        seconds = time.monotonic() - started_s
        _write(context.folder, {**found, "left_out": _WHILE_DRAWING, "seconds": seconds})
        drawn = explain(
            module,
            data,
            final_dir,
            trainer.loggers,
            untrained=untrained,
            tested=bool(tested.test),
            methods=attribution_methods(trainer),
        )
        found["left_out"] = drawn.left_out
    return _write(context.folder, {**found, "seconds": time.monotonic() - started_s})


def is_of_outer_fold(cfg: DictConfig) -> bool:
    """Whether the study is of an outer fold, of which nothing but its test is looked at."""
    return cfg.study.get("outer_fold") is not None


def _settle_folds(final_dir: Path, monitor: str) -> None:
    """Now that all folds are done, keep what each gave at the epoch that it is judged at."""
    folders = [fold for fold in FinalFolder(final_dir).folds() if fold.result.is_file()]
    if folders:
        found = judged([written_object(folder.result) for folder in folders], monitor)
        settle(folders, found.epochs, found.metrics)


def _refit_seeds(seed: int, number: int | None) -> tuple[int, int]:
    """Of a refit's weights and of its training: order, augmentation, copies, a stack's dropout.

    The first refit, without a number, trains by the study's own seed, as the search does.
    """
    if number is None:
        return derive_seed(seed, "refit"), seed
    return derive_seed(seed, "refit", int(number)), derive_seed(seed, "refit", int(number), "data")


def _died_drawing(folder: Path) -> dict[str, Any] | None:
    """The result of a try of the first refit that ended while it drew; None: there was none.

    Folds that were made again since then make another refit.
    """
    result, final = JobFolder(folder).result, FinalFolder(folder.parent)
    found = stored_object(result)
    if found is None or found.get("left_out") != _WHILE_DRAWING:
        return None
    folds = [fold.result for fold in final.folds() if fold.result.is_file()]
    is_latest = all(fold.stat().st_mtime_ns <= result.stat().st_mtime_ns for fold in folds)
    return found if is_latest and is_whole_checkpoint(final.checkpoint) else None


def _save(trainer: pl.Trainer, data: pl.LightningDataModule, path: Path) -> None:
    with plain_splits(data):
        trainer.save_checkpoint(path, weights_only=True)


def attribution_methods(trainer: pl.Trainer) -> list[AttributionMethod]:
    """Those that the configuration chose to look in while the network trained."""
    return [c.method for c in callbacks_of(trainer) if isinstance(c, Attribution)]


@dataclass(frozen=True)
class Trained:
    """How long a refit trained and where it logged what; ``curves``: of a stack alone."""

    epochs: int
    stages: dict[str, Stage]
    curves: Columns | None = None


def _train_refit(
    cfg: DictConfig,
    plan: TrialPlan,
    module: pl.LightningModule,
    data: pl.LightningDataModule,
    training_seed: int,
    context: JobContext,
    ends: ExitStack,
) -> tuple[pl.Trainer, Trained]:
    """Train for the epochs that the folds advise; the trainer, which is to test and to save.

    ``ends``: what is done when the job is.
    """
    epochs = _refit_epochs(cfg, plan, context.folder.parent)
    logged = StageOfMetrics()
    progress = EpochProgress(context.folder, monitor=cfg.monitor)
    observers = [logged, progress, *build.callbacks(cfg, with_validation=False)]
    changes = {} if splits.refit_validates(cfg) else {"limit_val_batches": 0}
    trainer = build.trainer(cfg, context.folder, observers, max_epochs=epochs, **changes)
    ends.enter_context(finishing(trainer.loggers))
    if plan.stacked:
        file = ProgressFile(context.folder, epochs=epochs, metric="train/loss")
        curves = train_in_place(cfg, module, data, epochs, seed=training_seed, report=file.report)
        return trainer, Trained(epochs, recorded_stages({}, curves), curves)
    done = ranks.fit(trainer, module, data, folder=context.folder, errors=(UserError,))
    return trainer, Trained(done, logged.stages)


def fold_results(final_dir: Path) -> list[dict[str, Any]]:
    """The results of the folds that are done, in their order."""
    paths = [fold.result for fold in FinalFolder(final_dir).folds()]
    return [written_object(path) for path in paths if path.is_file()]


def _refit_epochs(cfg: DictConfig, plan: TrialPlan, final_dir: Path) -> int:
    asked = cfg.study.get("final_epochs")
    if asked is not None:
        return int(asked)
    # Without a validation split the refit cannot stop by itself: it takes the folds' advice, but
    # for a schedule, whose last epochs, at small rates, are those that count.
    folds = fold_results(final_dir) if cfg.cv.final and not plan.scheduled else []
    if not folds:
        return int(cfg.trainer.max_epochs)
    curves = [curve_of(fold, cfg.monitor) for fold in folds]
    known = [curve for curve in curves if curve is not None]
    if len(known) == len(curves):
        return refit_epochs(known, mode=cfg.mode)
    # Folds of an older study.
    return max(1, round(fmean(fold["best_epoch"] + 1 for fold in folds)))


def _write(folder: Path, result: dict[str, Any]) -> dict[str, Any]:
    write_json(JobFolder(folder).result, result)
    return result
