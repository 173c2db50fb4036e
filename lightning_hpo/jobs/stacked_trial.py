"""A trial of the search whose folds train as one stack; several trials may share one stack."""

from collections.abc import Sequence
from dataclasses import replace

import optuna
from omegaconf import DictConfig

from lightning_hpo.callbacks.reporting import Reported
from lightning_hpo.fitting import splits
from lightning_hpo.fitting.plan import TrialPlan
from lightning_hpo.fitting.stacked import StackedFits, train
from lightning_hpo.fitting.stacked_values import values_of
from lightning_hpo.jobs import objective
from lightning_hpo.jobs.retries import lineage
from lightning_hpo.protocol.files import write_json
from lightning_hpo.protocol.folder import JobFolder
from lightning_hpo.protocol.messages import JobContext, TrialResult
from lightning_hpo.stack.training import Stopping


class StackedTrial:
    """One trial, ready to be trained; see :func:`lightning_hpo.jobs.trial.run_trial`.

    Seeds derive from ``origin``, or from the trial that this one retries. ``live`` is told the mean
    over folds of the best losses so far, after each step of the stack.
    """

    def __init__(
        self, cfg: DictConfig, context: JobContext, live: Reported | None, *, origin: int
    ) -> None:
        if isinstance(live, optuna.trial.Trial):
            origin = lineage(live.study.get_trials(deepcopy=False), live.number)[-1]
        self.cfg = cfg
        self.context = context
        self.live = live
        self.plan = plan = TrialPlan.of(cfg)
        folds = range(plan.n_folds)
        # By several objectives nothing can be compared midway.
        reports = live is not None and not plan.objectives
        self.fits = StackedFits(
            cfg,
            splits=[splits.search_split(cfg, fold) for fold in folds],
            seeds=[splits.search_seed(cfg, origin, fold) for fold in folds],
            report=self._report if reports else None,
        )

    def conclude(self) -> TrialResult:
        """Write the trial's files; its result, or what ended it before its time is raised."""
        self.fits.write_together(self.context)
        fits = self.fits.results()
        if self.plan.n_folds > 1 and not self.plan.objectives:
            counted, folder = [objective.value_of(f, self.plan) for f in fits], self.context.folder
            values = values_of(self.fits, counted)
            if values is not None:
                values.write(JobFolder(folder).losses)
            write_json(JobFolder(folder).fold_values, counted)
        return objective.of(fits, self.plan)

    def _report(self, epoch: int, value: float) -> None:
        assert self.live is not None
        self.live.report(value, step=epoch)
        if self.live.should_prune():
            raise optuna.TrialPruned(f"pruned at epoch {epoch + 1} with val/loss={value:.6g}")


def run_stacked(trial: StackedTrial) -> TrialResult:
    """Train one trial's folds as one stack; its networks are those of the epoch that counts."""
    train([trial.fits], stop=stopping_of([trial]))
    return trial.conclude()


def stopping_of(trials: Sequence[StackedTrial]) -> Stopping:
    """Of trials in one stack: their networks are those of the epoch that counts."""
    at_end = all(trial.plan.scheduled for trial in trials)
    return replace(trials[0].fits.stopping, restore_best=not at_end)
