"""One trial: one hyperparameter configuration, all its folds, one number."""

import shutil
from collections.abc import Sequence

import optuna
from omegaconf import DictConfig

from lightning_hpo.callbacks.reporting import PruningCallback, Reported
from lightning_hpo.callbacks.trial_values import ValuesOfMonitor
from lightning_hpo.fitting import splits
from lightning_hpo.fitting.plan import TrialPlan
from lightning_hpo.fitting.serial import fit
from lightning_hpo.jobs import kept_network, objective
from lightning_hpo.jobs.retries import (
    Finished,
    finished_folds,
    lineage,
    report_again,
    say_what_continues,
    write_result,
)
from lightning_hpo.jobs.stacked_trial import StackedTrial, run_stacked
from lightning_hpo.protocol import trial_values
from lightning_hpo.protocol.attributes import STOPPED_AFTER_FOLD
from lightning_hpo.protocol.folder import JobFolder
from lightning_hpo.protocol.messages import FitResult, JobContext, TrialResult
from lightning_hpo.strategies.pruning import over_folds


def run_trial(
    cfg: DictConfig, context: JobContext, live: Reported | None, *, origin: int | None = None
) -> TrialResult:
    """Fit every fold of the search's split and report to the live trial; the test set stays shut.

    A trial that retries another takes over the folds which that one finished. Seeds derive from the
    number of the original trial (``origin``; None: as the study says, else the trial's own).

    Raises:
        optuna.TrialPruned: when the pruner ends the trial; the Wilcoxon pruner's word ends it with
            the mean of the folds so far, as that pruner's documentation asks.
    """
    taken: list[Finished] = []
    if origin is None:
        origin = cfg.study.trial_number or 0
    plan = TrialPlan.of(cfg)
    if plan.stacked:
        return run_stacked(StackedTrial(cfg, context, live, origin=origin))
    if isinstance(live, optuna.trial.Trial):
        live.study.pruner = over_folds(
            live.study.pruner, n_folds=plan.n_folds, steps_per_fold=plan.steps_per_fold
        )
        origin, taken = _continue(cfg, plan, context, live)
    fits: list[FitResult] = []
    for fold in range(plan.n_folds):
        if fold < len(taken):
            fits.append(taken[fold].result)
        else:
            seed = splits.search_seed(cfg, origin, fold)
            fits.append(_fit_fold(cfg, plan, context, live, fold, seed))
        if live is not None and _stops(plan, live, fits):
            return objective.of(fits, plan, stopped_after_fold=fold)
    if plan.n_folds > 1:
        trial_values.join(JobFolder(context.folder), plan.n_folds)
    return objective.of(fits, plan)


def _fit_fold(
    cfg: DictConfig,
    plan: TrialPlan,
    context: JobContext,
    live: Reported | None,
    fold: int,
    seed: int,
) -> FitResult:
    split, reporters = splits.search_split(cfg, fold), _reporters(plan, live, fold)
    with kept_network.keeping(cfg, plan, context.folder, live, fold) as keeping:
        if plan.n_folds == 1:
            return fit(cfg, split, seed, context, [*keeping, *reporters])
        folder = JobFolder(context.folder).fold(fold)
        of_fold = JobContext(folder.path, context.searched)
        values = ValuesOfMonitor(monitor=plan.monitor, mode=cfg.mode)
        result = fit(cfg, split, seed, of_fold, [*keeping, values, *reporters])
    counted = objective.value_of(result, plan)
    # Before the result, after which nobody fits this fold again.
    values.write(folder.losses, counted)
    write_result(folder.path, fold, result, counted)
    return result


def _reporters(plan: TrialPlan, live: Reported | None, fold: int) -> list[PruningCallback]:
    # By several objectives nothing can be compared midway.
    if live is None or plan.steps_are_folds or plan.objectives:
        return []
    if isinstance(live, optuna.trial.Trial):
        # As the storage has it by now: what ranks of earlier folds reported is not known here.
        live = optuna.trial.Trial(live.study, live._trial_id)
    first_step = plan.steps_of(fold).start
    return [PruningCallback(live, monitor=plan.monitor, first_step=first_step)]


def _stops(plan: TrialPlan, live: Reported, fits: Sequence[FitResult]) -> bool:
    """Report the latest fold to the Wilcoxon pruner; whether it stops the trial before its end."""
    if not plan.steps_are_folds:
        return False
    fold = len(fits) - 1
    live.report(objective.value_of(fits[-1], plan), step=fold)
    if len(fits) == plan.n_folds or not live.should_prune():
        return False
    if isinstance(live, optuna.trial.Trial):
        live.set_user_attr(STOPPED_AFTER_FOLD, fold)
    return True


def _continue(
    cfg: DictConfig, plan: TrialPlan, context: JobContext, live: optuna.trial.Trial
) -> tuple[int, list[Finished]]:
    """The original's number, and the folds that this trial takes over from those it retries."""
    if "retry_of" not in live.user_attrs:
        return live.number, []
    numbers = lineage(live.study.get_trials(deepcopy=False), live.number)
    taken = finished_folds(cfg, context.folder, numbers[1:]) if plan.n_folds > 1 else []
    for fold, done in enumerate(taken):
        if not plan.steps_are_folds:
            report_again(live, done.number, plan.steps_of(fold))
        of_fold = JobFolder(context.folder).fold(fold)
        value = objective.value_of(done.result, plan)
        write_result(of_fold.path, fold, done.result, value, taken_from=done.number)
        its = JobFolder(context.folder.parent / str(done.number)).fold(fold).losses
        if its.is_file():
            shutil.copyfile(its, of_fold.losses)
    if taken:
        say_what_continues(live, taken)
    return numbers[-1], taken
