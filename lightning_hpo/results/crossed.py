"""Several trainings tested on the same samples: how far other trainings and other samples carry.

Shapes: R trainings of a row, N samples. A loss is a mean, plus what its training, its sample and
both together add. What both add is in the variance of the trainings' means and in that of the
samples' means, and is taken out of one of them (a two-way crossed design of random effects: Searle,
Casella and McCulloch 1992, Variance Components).
"""

from math import inf, sqrt

import numpy as np
import scipy  # type: ignore[import-untyped]  # comes with scikit-learn; loads its parts when asked
from numpy.typing import NDArray

from lightning_hpo.results.statistics import NO_SPREAD, Difference, judged_by

Losses = NDArray[np.float64]
Folds = NDArray[np.int64]

# The "plus four" of a share's interval (Agresti and Coull 1998, The American Statistician 52).
_PLUS_FOUR = (0.0, 0.0, 1.0, 1.0)


def risk_interval(losses_rn: Losses, *, level: float = 0.95) -> tuple[float, float]:
    """Of the mean loss over all trainings of this kind, on new samples of this kind.

    Of a single training: of this one network's. Each variance has the quantile of its own degrees
    of freedom (Cochran 1964, Biometrics 20, 191-195): with three trainings Satterthwaite's one
    quantile would be too small. Infinite where the losses have no spread.
    """
    if _is_binary(losses_rn):
        more_rn = np.tile(_PLUS_FOUR, (len(losses_rn), 1))
        low, high = _risk_interval(np.hstack([losses_rn, more_rn]), level)
        return max(low, 0.0), min(high, 1.0)
    return _risk_interval(losses_rn, level)


def _risk_interval(losses_rn: Losses, level: float) -> tuple[float, float]:
    parts = _of_mean(losses_rn)
    total = sum(variance for variance, _ in parts)
    if total < NO_SPREAD**2:
        return -inf, inf
    weighed = sum(v * float(scipy.stats.t.ppf((1 + level) / 2, freedom)) for v, freedom in parts)
    half, mean = weighed / total * sqrt(total), float(losses_rn.mean())
    return mean - half, mean + half


def crossed(a_rn: Losses, b_rn: Losses) -> Difference:
    """Of the mean losses of two rows over all their trainings and all samples of this kind.

    The degrees of freedom are Satterthwaite's (1946, Biometrics Bulletin 2, 110-114).
    """
    apart_n = a_rn.mean(0) - b_rn.mean(0)
    parts = [_of_samples(apart_n), _of_trainings(a_rn), _of_trainings(b_rn)]
    what = f"{len(a_rn)} and {len(b_rn)} trainings"
    return _judged(float(apart_n.mean()), parts, f"{what} on {_samples(a_rn)}")


def crossed_pairs(a_rn: Losses, b_rn: Losses, *, what: str) -> Difference:
    """The same of trainings that belong together one by one; ``what`` they are."""
    apart_rn = a_rn - b_rn
    method = f"paired over {len(apart_rn)} {what} on {_samples(apart_rn)}"
    return _judged(float(apart_rn.mean()), _of_mean(apart_rn), method)


def single_networks(a_n: Losses, b_n: Losses) -> Difference:
    """Of two networks, each trained once, on all samples of this kind.

    Right and wrong answers by McNemar's test, other losses by Student's t of their differences.
    """
    if _is_binary(a_n) and _is_binary(b_n):
        return mcnemar(a_n, b_n)
    apart_n = a_n - b_n
    method = f"two networks, paired over {_samples(apart_n[None])} (t)"
    return _judged(float(apart_n.mean()), [_of_samples(apart_n)], method, of="")


def mcnemar(a_n: Losses, b_n: Losses) -> Difference:
    """McNemar's mid-p test on the samples that only one of two networks gets right.

    Mid-p, at any number of them: the exact binomial test finds too little, the one with a
    continuity correction too, and the uncorrected one too much where they are few (Fagerland,
    Lydersen and Laake 2013, BMC Medical Research Methodology 13:91). The interval is the one that
    excludes zero when the test does.
    """
    only_a, only_b = int((a_n > b_n).sum()), int((b_n > a_n).sum())
    n, differ = len(a_n), only_a + only_b
    mean = (only_a - only_b) / n
    method = f"McNemar's mid-p test, {only_a} against {only_b} of {n} samples"
    if only_a == only_b:
        # As many on either side: the plain standard error, which is none where all are the same.
        error = sqrt(differ) / n
        return judged_by(mean, error, inf, method) if differ else _unjudged(mean)
    few = min(only_a, only_b)
    p = 2 * scipy.stats.binom.cdf(few, differ, 0.5) - scipy.stats.binom.pmf(few, differ, 0.5)
    return judged_by(mean, abs(mean) / float(scipy.stats.norm.isf(p / 2)), inf, method)


def over_folds(
    a_n: Losses, b_n: Losses, folds_a: Folds, folds_b: Folds, *, overlap: float
) -> Difference:
    """Of two cross-validations by what each gave on every sample; ``folds_a`` (N,): which fold.

    Samples and the folds' trainings vary, and the sum has Nadeau and Bengio's factor for the
    training samples that folds share (2003, Machine Learning 52, 239-281), ``overlap`` being the
    validated samples of a fold in those that it trains on. By samples the first of these variances
    has many degrees of freedom, where the folds' means alone have as many as there are folds.
    """
    apart_n = a_n - b_n
    same = np.array_equal(folds_a, folds_b)
    of_each = [(apart_n, folds_a)] if same else [(a_n, folds_a), (b_n, folds_b)]
    parts = [_of_samples(apart_n), *(_of_fold_trainings(*each) for each in of_each)]
    factor = 1 + len(np.unique(folds_a)) * overlap
    mean = _mean_over_folds(a_n, folds_a) - _mean_over_folds(b_n, folds_b)
    which = f"{len(np.unique(folds_a))} {'identical' if same else 'different'} folds"
    method = f"{len(apart_n)} samples of {which} (corrected t, Nadeau and Bengio 2003)"
    return _judged(mean, [(factor * v, freedom) for v, freedom in parts], method, of="")


def _mean_over_folds(values_n: Losses, folds_n: Folds) -> float:
    return float(np.mean([values_n[folds_n == fold].mean() for fold in np.unique(folds_n)]))


def _of_fold_trainings(values_n: Losses, folds_n: Folds) -> "Part":
    """What the trainings of the folds add to the variance of samples."""
    groups = [values_n[folds_n == fold] for fold in np.unique(folds_n)]
    means = np.array([group.mean() for group in groups])
    within = float(np.mean([group.var(ddof=1) for group in groups])) / len(values_n)
    k = len(groups)
    return max(float(means.var(ddof=1)) / k - within, 0.0), k - 1


Part = tuple[float, float]  # a variance of a mean, and its degrees of freedom


def _of_mean(losses_rn: Losses) -> list[Part]:
    return [_of_samples(losses_rn.mean(0)), _of_trainings(losses_rn)]


def _of_samples(mean_n: Losses) -> Part:
    """What other samples would change, with the trainings' own part in it."""
    n = len(mean_n)
    return (float(mean_n.var(ddof=1)) / n if n > 1 else 0.0), max(n - 1, 1)


def _of_trainings(losses_rn: Losses) -> Part:
    """What other trainings would change, without what :func:`_of_samples` has of it already."""
    r, n = losses_rn.shape
    if r < 2 or n < 2:
        return 0.0, max(r - 1, 1)
    of_training, of_sample = losses_rn.mean(1), losses_rn.mean(0)
    both_rn = losses_rn - of_training[:, None] - of_sample + losses_rn.mean()
    residual = float((both_rn**2).sum()) / ((r - 1) * (n - 1))
    return max(float(of_training.var(ddof=1)) - residual / n, 0.0) / r, r - 1


def _judged(mean: float, parts: list[Part], method: str, of: str = " (crossed)") -> Difference:
    total = sum(variance for variance, _ in parts)
    if total < NO_SPREAD**2:
        return _unjudged(mean)
    freedom = total**2 / sum(variance**2 / freedom for variance, freedom in parts)
    return judged_by(mean, sqrt(total), freedom, f"{method}{of}")


def _unjudged(mean: float) -> Difference:
    return Difference(mean, -inf, inf, "no sample tells them apart")


def _is_binary(losses: Losses) -> bool:
    return bool(np.isin(losses, (0.0, 1.0)).all())


def _samples(losses_rn: Losses) -> str:
    return f"{losses_rn.shape[1]} samples"
