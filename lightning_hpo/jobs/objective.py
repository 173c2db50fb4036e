"""What the fits of a trial amount to: its objective, and further ones where a study has several."""

from collections.abc import Iterable, Sequence
from statistics import fmean

from lightning_hpo.errors import UserError, did_you_mean
from lightning_hpo.protocol.messages import FitResult, TrialResult

# What each fit has besides what its module logs.
OF_EVERY_FIT = ("n_parameters", "seconds")


def of(fits: Sequence[FitResult], *, further: Iterable[str] = ()) -> TrialResult:
    """Means over folds: of the monitor's best values and, at those epochs, of metrics ``further``.

    Raises :class:`UserError` for a metric that was not logged.
    """
    names = list(further)
    require_logged(names, fits[0].metrics)
    means = tuple(fmean(f.metrics[name] for f in fits) for name in names)
    return TrialResult(fmean(f.value for f in fits), tuple(fits), further=means)


def require_logged(names: Iterable[str], metrics: Iterable[str]) -> None:
    """Raise :class:`UserError` for a name that is not among ``metrics``."""
    known = sorted(metrics)
    for name in names:
        if name not in known:
            hint = did_you_mean(name, known)
            raise UserError(f"study.objectives names '{name}'; available: {known}.{hint}")
