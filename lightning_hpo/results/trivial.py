"""What a model gets that looks at no input, beside what the networks get on the same samples.

It always says one class, or one value: the most frequent class or the mean of the targets of the
cross-validation, which are those of the training set, and where these were not kept of the very
targets that are evaluated. Shapes: R networks, N samples, K classes.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_hpo.protocol.folder import FinalFolder, JobFolder
from lightning_hpo.protocol.samples import Samples, accuracy, read_samples
from lightning_hpo.results.crossed import Losses, crossed_pairs, over_folds, single_networks
from lightning_hpo.results.results import (
    TrivialModels,
    TrivialOf,
    TrivialOfClasses,
    TrivialOfValues,
    Verdict,
)
from lightning_hpo.results.statistics import Difference

_ERROR = 0.05


def of_final(
    final: FinalFolder, names: Sequence[str] = (), *, balanced: bool = False
) -> TrivialModels | None:
    """By the samples that a final job's jobs kept; None where they kept none.

    ``names``: of the classes, in the order of their numbers. ``balanced``: what the study watches
    counts every class alike, so that balanced accuracies decide, not accuracies.
    """
    tests, folds = _kept(final.refits()), _kept(final.folds())
    alike = bool(folds and tests) and _form(folds[0]) == _form(tests[0])
    known = np.concatenate([fold.target for fold in folds]) if alike else None
    found: TrivialModels = {
        "test": beside(tests, known, names, balanced=balanced) if tests else None,
        "folds": of_folds(folds, names, balanced=balanced) if folds else None,
    }
    return found if found["test"] or found["folds"] else None


def _kept(jobs: Sequence[JobFolder]) -> list[Samples]:
    """What those that are done have kept, if all of them have."""
    found = [read_samples(job.samples) for job in jobs if job.result.is_file()]
    known = [each for each in found if each is not None and len(each.index)]
    alike = len(set(map(_form, known))) == 1
    return known if alike and len(known) == len(found) else []


def _form(samples: Samples) -> tuple[str, tuple[int, ...]]:
    return samples.kind, samples.output.shape[1:]


def beside(
    networks: Sequence[Samples],
    known: NDArray[Any] | None,
    names: Sequence[str] = (),
    *,
    balanced: bool = False,
) -> TrivialOf | None:
    """Of networks on the same samples; None for other samples.

    ``known``: targets by which the trivial model was made; None: the evaluated ones.
    """
    first = networks[0]
    if not all(np.array_equal(each.target, first.target) for each in networks):
        return None
    said = _said(first, known)
    losses = [_losses(each, said, balanced=balanced) for each in networks]
    found = _tested([ours for ours, _ in losses], losses[0][1])
    verdict = _verdict(found, chosen_among=_n_classes(first) if known is None else 1)
    each = [_of(network, said, verdict, names, balanced=balanced) for network in networks]
    return _mean(each)


def of_folds(
    folds: Sequence[Samples], names: Sequence[str] = (), *, balanced: bool = False
) -> TrivialOf:
    """Of a cross-validation, over all samples that its folds held out, by their own targets.

    No verdict where samples were held out several times, or of a single fold.
    """
    joined = Samples(
        np.concatenate([fold.index for fold in folds]),
        np.concatenate([fold.output for fold in folds]),
        np.concatenate([fold.target for fold in folds]),
        np.concatenate([fold.loss for fold in folds]),
        folds[0].kind,
        folds[0].metric,
    )
    said = _said(joined, None)
    ours, trivial = _losses(joined, said, balanced=balanced)
    numbers = np.repeat(np.arange(len(folds)), [len(fold.index) for fold in folds])
    sizes = [len(fold.index) for fold in folds]
    verdict: Verdict | None = None
    if len(np.unique(joined.index)) == len(joined.index) and len(folds) > 1 and min(sizes) > 1:
        overlap = 1 / (len(folds) - 1)
        with np.errstate(all="ignore"):
            found = over_folds(trivial, ours, numbers, numbers, overlap=overlap)
        verdict = _verdict(found, chosen_among=_n_classes(joined))
    return _of(joined, said, verdict, names, balanced=balanced)


def _said(samples: Samples, known: NDArray[Any] | None) -> Any:
    """The class (int), or the value (float), that the trivial model always says."""
    targets = samples.target if known is None else known
    if samples.kind == "cross_entropy":
        return int(np.bincount(targets).argmax())
    return float(targets.mean(dtype=np.float64))


def _losses(samples: Samples, said: Any, *, balanced: bool) -> tuple[Losses, Losses]:
    """Of the network and of the trivial model (N,): 1 for a wrong class, squared errors.

    ``balanced``: weighed so that the mean is 1 minus the balanced accuracy.
    """
    if samples.kind == "cross_entropy":
        weights = _weights(samples.target) if balanced else np.ones(len(samples.target))
        wrong = samples.output.argmax(1) != samples.target
        return weights * wrong, weights * (samples.target != said)
    return samples.loss.astype(np.float64), np.square(samples.target.astype(np.float64) - said)


def _weights(target: NDArray[Any]) -> Losses:
    """(N,), by which every class that there is has the same sum; their mean is 1."""
    counts = np.bincount(target)
    return len(target) / (np.count_nonzero(counts) * counts[target].astype(np.float64))


def _tested(ours_rn: Sequence[Losses], trivial_n: Losses) -> Difference | None:
    """McNemar's mid-p, or a paired t; of several networks over their trainings too."""
    if len(trivial_n) < 2:
        return None
    with np.errstate(all="ignore"):
        if len(ours_rn) == 1:
            return single_networks(trivial_n, ours_rn[0])
        trivial_rn = np.tile(trivial_n, (len(ours_rn), 1))
        return crossed_pairs(trivial_rn, np.stack(ours_rn), what="networks")


def _n_classes(samples: Samples) -> int:
    return samples.output.shape[1] if samples.kind == "cross_entropy" else 1


def _verdict(found: Difference | None, *, chosen_among: int) -> Verdict | None:
    """``chosen_among``: classes of which the evaluated samples said which is the most frequent.

    It looks too good by that choice, so worse than it is only what is so with a Bonferroni
    correction for all of them.
    """
    if found is None:
        return None
    if found.low > 0:
        return "better"
    is_worse = found.high < 0 and found.at(1 - _ERROR / chosen_among).high < 0
    return "worse" if is_worse else "not told apart"


def _of(
    samples: Samples, said: Any, verdict: Verdict | None, names: Sequence[str], *, balanced: bool
) -> TrivialOf:
    if samples.kind == "cross_entropy":
        return _of_classes(samples, said, verdict, names, balanced=balanced)
    return _of_values(samples, said, verdict)


def _of_classes(
    samples: Samples, said: int, verdict: Verdict | None, names: Sequence[str], *, balanced: bool
) -> TrivialOfClasses:
    k = samples.output.shape[1]
    names = names if len(set(names)) == k else [str(number) for number in range(k)]
    counts = np.bincount(samples.target, minlength=k)
    right = np.bincount(samples.target[samples.output.argmax(1) == samples.target], minlength=k)
    recalls = [float(r / n) if n else None for r, n in zip(right, counts, strict=True)]
    return {
        "kind": "classes",
        "n": len(samples.target),
        "verdict": verdict,
        "judged_by": "balanced accuracy" if balanced else "accuracy",
        "says": names[said],
        "share": float((samples.target == said).mean()),
        "accuracy": accuracy(samples),
        "balanced_accuracy": float(np.mean([each for each in recalls if each is not None])),
        "recall": dict(zip(names, recalls, strict=True)),
        "counts": dict(zip(names, map(int, counts), strict=True)),
    }


def _of_values(samples: Samples, said: float, verdict: Verdict | None) -> TrivialOfValues:
    target = samples.target.astype(np.float64)
    with np.errstate(all="ignore"):
        error = float(samples.loss.mean(dtype=np.float64))
        variance = float(target.var())
        return {
            "kind": "values",
            "n": len(target),
            "verdict": verdict,
            "says": said,
            "error": error,
            "error_of_mean": float(np.square(target - said).mean()),
            "r2": 1 - error / variance if variance else None,
            "metric": samples.metric,
        }


def _mean(each: Sequence[TrivialOf]) -> TrivialOf:
    """Over networks, whose trivial model is the same: the mean of what differs."""
    mean: Any = dict(each[0])
    for name in ("accuracy", "balanced_accuracy", "error", "r2"):
        if mean.get(name) is not None:
            mean[name] = float(np.mean([dict(of)[name] for of in each]))
    if "recall" in mean:
        recalls: Any = [dict(of)["recall"] for of in each]
        mean["recall"] = {
            name: None if of is None else float(np.mean([every[name] for every in recalls]))
            for name, of in mean["recall"].items()
        }
    found: TrivialOf = mean
    return found
