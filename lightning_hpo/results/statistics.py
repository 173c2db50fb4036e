"""Intervals and differences of few values, paired or not, also of overlapping folds."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, sqrt
from statistics import fmean, stdev, variance

from scipy import stats  # type: ignore[import-untyped]  # comes with scikit-learn

# Equal values, but for rounding: a few equal accuracies of a small test set are luck, no proof.
_NO_SPREAD = 1e-12


@dataclass(frozen=True)
class Difference:
    """Mean of the first minus mean of the second, with its 95 % interval and how it was found."""

    mean: float
    low: float
    high: float
    method: str

    @property
    def within_noise(self) -> bool:
        return self.low <= 0 <= self.high


def interval(values: Sequence[float], *, folds: bool, level: float = 0.95) -> tuple[float, float]:
    """Of the mean; ``folds``: the values are of one cross-validation. Infinite for one value."""
    n = len(values)
    if n < 2:
        return -inf, inf
    half = _half_width(stdev(values) * sqrt(_mean_factor(n, folds)), n - 1, level)
    return fmean(values) - half, fmean(values) + half


def paired(
    a: Sequence[float], b: Sequence[float], *, folds: bool, what: str = "equal seeds"
) -> Difference:
    """Of values that belong together one by one; ``what`` they are, if not folds."""
    apart = [x - y for x, y in zip(a, b, strict=True)]
    if stdev(apart) < _NO_SPREAD:
        return Difference(fmean(apart), -inf, inf, f"all {len(a)} differences are equal")
    method = "identical folds (corrected t, Nadeau and Bengio 2003)" if folds else f"{what} (t)"
    low, high = interval(apart, folds=folds)
    return Difference(fmean(apart), low, high, f"paired over {len(a)} {method}")


def welch(a: Sequence[float], b: Sequence[float], *, folds: tuple[bool, bool]) -> Difference:
    """Of independent samples; ``folds``: which of them are of one cross-validation."""
    mean = fmean(a) - fmean(b)
    if min(len(a), len(b)) < 2:
        return Difference(mean, -inf, inf, "one value has no spread")
    parts = [
        variance(values) * _mean_factor(len(values), of_folds)
        for values, of_folds in zip((a, b), folds, strict=True)
    ]
    if sum(parts) < _NO_SPREAD**2:
        return Difference(mean, -inf, inf, "the values of each have no spread")
    weights = parts[0] ** 2 / (len(a) - 1) + parts[1] ** 2 / (len(b) - 1)
    freedom = sum(parts) ** 2 / weights
    half = _half_width(sqrt(sum(parts)), freedom, 0.95)
    return Difference(mean, mean - half, mean + half, f"unpaired, {len(a)} and {len(b)} (Welch)")


def _mean_factor(n: int, folds: bool) -> float:
    """The variance of a mean of n values, in variances of one."""
    return 1 / n + 1 / (n - 1) if folds else 1 / n


def _half_width(error: float, freedom: float, level: float) -> float:
    return float(stats.t.ppf((1 + level) / 2, freedom)) * error
