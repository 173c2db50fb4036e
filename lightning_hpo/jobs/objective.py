"""What the fits of a trial amount to: its objective, and further ones where a study has several."""

from collections.abc import Iterable, Sequence
from statistics import fmean

from lightning_hpo.errors import UserError, did_you_mean
from lightning_hpo.fitting.plan import TrialPlan
from lightning_hpo.protocol.messages import FitResult, TrialResult

# What each fit has besides what its module logs.
OF_EVERY_FIT = ("n_parameters", "seconds")


def of(
    fits: Sequence[FitResult], plan: TrialPlan, *, stopped_after_fold: int | None = None
) -> TrialResult:
    """Means over folds: of the monitor, and at the same epochs of the further objectives.

    Raises:
        UserError: for a metric that was not logged.
    """
    require_logged(plan.objectives, fits[0].metrics)
    further = tuple(fmean(_metric(fit, name, plan) for fit in fits) for name in plan.objectives)
    value = fmean(value_of(fit, plan) for fit in fits)
    return TrialResult(value, tuple(fits), stopped_after_fold, further)


def value_of(fit: FitResult, plan: TrialPlan) -> float:
    """What a fit counts for: its best value, but under a schedule its last one.

    There the refit trains to the end too, and an epoch before that is good by luck.
    """
    # A fold of an earlier version, which a retried trial takes over, may not tell its end.
    return fit.last.get(plan.monitor, fit.value) if plan.scheduled else fit.value


def _metric(fit: FitResult, name: str, plan: TrialPlan) -> float:
    return fit.last.get(name, fit.metrics[name]) if plan.scheduled else fit.metrics[name]


def require_logged(names: Iterable[str], metrics: Iterable[str]) -> None:
    """Raise :class:`UserError` for a name that is not among ``metrics``."""
    known = sorted(metrics)
    for name in names:
        if name not in known:
            hint = did_you_mean(name, known)
            raise UserError(
                f"study.objectives must name metrics that a fit logs, got '{name}'; available:"
                f" {known}.{hint}"
            )
