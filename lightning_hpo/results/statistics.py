"""Intervals and differences of few values, paired or not, also of overlapping folds."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf, isfinite, isinf, sqrt
from statistics import fmean, stdev, variance

import scipy  # type: ignore[import-untyped]  # comes with scikit-learn; loads its parts when asked

from lightning_hpo.protocol.stages import is_share

# Equal values, but for rounding: a few equal accuracies of a small test set are luck, no proof.
NO_SPREAD = 1e-12
# How often equals are called different.
_ERROR = 0.05


@dataclass(frozen=True)
class Difference:
    """Mean of the first minus mean of the second, with the interval that judges it.

    Attributes:
        mean: of the difference, in the units of the metric.
        low: the lower end of the interval.
        high: its upper end.
        method: how it was found, in words.
        error: the standard error of ``mean``, infinite where the values have none.
        freedom: the degrees of freedom of its Student's t.
        level: of the interval, 0.95, or more where several are judged together.
    """

    mean: float
    low: float
    high: float
    method: str
    error: float = inf
    freedom: float = 1.0
    level: float = 0.95

    @property
    def within_noise(self) -> bool:
        """Whether the interval holds 0, so that either may be the better one."""
        return self.low <= 0 <= self.high

    @property
    def p(self) -> float:
        """How often equals differ at least so much; 1 where nothing is known of the spread."""
        return float(2 * scipy.stats.t.sf(abs(self.mean) / self.error, self.freedom))

    def at(self, level: float) -> "Difference":
        """The same with its interval at ``level``, in (0, 1)."""
        half = _half_width(self.error, self.freedom, level)
        return replace(self, low=self.mean - half, high=self.mean + half, level=level)


def interval(
    values: Sequence[float], *, overlap: float, level: float = 0.95
) -> tuple[float, float]:
    """Of the mean; infinite for one value.

    ``overlap``: of the folds of a cross-validation the validated samples in those trained on,
    1 / (folds - 1); of independent values 0.
    """
    n = len(values)
    if n < 2:
        return -inf, inf
    half = _half_width(stdev(values) * sqrt(1 / n + overlap), n - 1, level)
    return fmean(values) - half, fmean(values) + half


def as_share(
    metric: str, values: Sequence[float], ends: tuple[float, float]
) -> tuple[float, float]:
    """``ends`` of an interval of ``values``, within [0, 1] if the metric is a share.

    One by its name, whose values are in no other unit, such as per cent. Infinite ends, of which
    nothing is known, stay.
    """
    if not is_share(metric) or not all(0 <= value <= 1 for value in values):
        return ends
    low, high = ends
    return low if isinf(low) else max(low, 0.0), high if isinf(high) else min(high, 1.0)


def wilson(right: int, n: int) -> tuple[float, float]:
    """Of a share, such as an accuracy, where ``right`` of ``n`` samples were (Wilson 1927).

    At 95 %, Journal of the American Statistical Association 22, 209-212; lies in [0, 1].
    """
    z = float(scipy.stats.norm.ppf(1 - _ERROR / 2))
    share, shrunk = right / n, 1 + z**2 / n
    centre = (share + z**2 / (2 * n)) / shrunk
    half = z / shrunk * sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return max(0.0, centre - half), min(1.0, centre + half)


def prediction(values: Sequence[float]) -> tuple[float, float]:
    """Where one further value of the same kind lies in 95 of 100 cases; infinite for one value."""
    n = len(values)
    if n < 2:
        return -inf, inf
    half = _half_width(stdev(values) * sqrt(1 + 1 / n), n - 1, 1 - _ERROR)
    return fmean(values) - half, fmean(values) + half


def paired(
    a: Sequence[float], b: Sequence[float], *, overlap: float, what: str = "equal seeds"
) -> Difference:
    """Of values that belong together one by one; ``what`` they are, if not folds.

    ``overlap``: see :func:`interval`.
    """
    apart = [x - y for x, y in zip(a, b, strict=True)]
    if stdev(apart) < NO_SPREAD:
        return Difference(fmean(apart), -inf, inf, f"all {len(a)} differences are equal")
    method = "identical folds (corrected t, Nadeau and Bengio 2003)" if overlap else f"{what} (t)"
    error = stdev(apart) * sqrt(1 / len(apart) + overlap)
    return judged_by(fmean(apart), error, len(a) - 1, f"paired over {len(a)} {method}")


def welch(a: Sequence[float], b: Sequence[float], *, overlap: tuple[float, float]) -> Difference:
    """Of independent samples; ``overlap`` of each, see :func:`interval`.

    Where both are folds, the correction for their overlap enters once, as the mean of both: each
    with its own would count it twice, and hardly any difference would be more than noise.
    """
    mean = fmean(a) - fmean(b)
    if min(len(a), len(b)) < 2:
        return Difference(mean, -inf, inf, "one value has no spread")
    shared = max(1, sum(each > 0 for each in overlap))
    parts = [
        variance(values) * (1 / len(values) + each / shared)
        for values, each in zip((a, b), overlap, strict=True)
    ]
    if sum(parts) < NO_SPREAD**2:
        return Difference(mean, -inf, inf, "the values of each have no spread")
    weights = parts[0] ** 2 / (len(a) - 1) + parts[1] ** 2 / (len(b) - 1)
    freedom = sum(parts) ** 2 / weights
    return judged_by(mean, sqrt(sum(parts)), freedom, f"unpaired, {len(a)} and {len(b)} (Welch)")


def judged_together(found: Sequence[Difference]) -> list[Difference]:
    """The same differences with wider intervals, so that all verdicts hold together.

    Where all are equals, any is called different in at most 5 of 100 cases: the smallest p is held
    against 0.05 / m, the next against 0.05 / (m - 1), up to the first that is within noise (Holm
    1979, Scandinavian Journal of Statistics 6, 65-70). Those without a spread are not judged.
    """
    judged = list(found)
    tested = [index for index, each in enumerate(found) if isfinite(each.error)]
    left = len(tested)
    for index in sorted(tested, key=lambda index: found[index].p):
        judged[index] = found[index].at(1 - _ERROR / left)
        # After the first that is within noise all others are, at its level.
        left -= not judged[index].within_noise
    return judged


def judged_by(mean: float, error: float, freedom: float, method: str) -> Difference:
    """A difference with its interval at 95 %, by Student's t; ``freedom`` may be infinite."""
    return Difference(mean, mean, mean, method, error, freedom).at(1 - _ERROR)


def _half_width(error: float, freedom: float, level: float) -> float:
    return float(scipy.stats.t.ppf((1 + level) / 2, freedom)) * error
