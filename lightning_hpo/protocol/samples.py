"""``samples.npz``: what a job's network gave on the samples that judged it, written and read.

Shapes: N samples, K classes.
"""

import os
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lightning_hpo.protocol.stages import (
    is_accuracy,
    is_loss,
    weighs_classes_alike,
    without_forks,
)

Kind = Literal["cross_entropy", "squared_error"]
# Of the outputs of one job.
MOST_BYTES = 2**26

# A logged mean may be of batches in half precision; a sum that weighs them otherwise is further.
_CLOSE = 1e-3


class Unclear(ValueError):
    """Why it is not clear what a network gave on which samples: the rest of a sentence."""


@dataclass(frozen=True)
class Samples:
    """What one network gave on N samples.

    index (N,): positions in the test set, of a fold in the data's training set. output: logits
    (N, K) or values (N,), float32; target (N,): classes, int64, or values, float32; loss (N,): each
    sample's own, of this ``kind``. ``metric``: the logged loss that is its mean; None: none is.
    ``epoch``: 0-based, that a fold is judged at.
    """

    index: NDArray[np.int64]
    output: NDArray[np.float32]
    target: NDArray[Any]
    loss: NDArray[np.float32]
    kind: Kind
    metric: str | None = None
    epoch: int | None = None

    @classmethod
    def of(cls, index: NDArray[Any], output: NDArray[Any], target: NDArray[Any]) -> "Samples":
        """With each sample's loss; raises :class:`Unclear` for what is neither kind."""
        if np.issubdtype(target.dtype, np.integer):
            _check_classes(output, target)
            target = target.astype(np.int64)
            kind: Kind = "cross_entropy"
        else:
            _check_values(output, target)
            output, target = output.reshape(-1), target.reshape(-1).astype(np.float32)
            kind = "squared_error"
        output = output.astype(np.float32)
        loss = losses(output, target)
        return cls(index.astype(np.int64), output, target, loss, kind)

    def judged_by(self, logged: Mapping[str, float]) -> "Samples":
        """With the ``metric`` among those that were ``logged`` for these very samples."""
        mean = float(self.loss.mean(dtype=np.float64))
        found = [
            name
            for name in without_forks(logged)
            if is_loss(name) and abs(logged[name] - mean) <= _CLOSE * abs(mean)
        ]
        return replace(self, metric=found[0] if found else None)

    def write(self, path: Path) -> None:
        """A kill leaves all of it, or what was there before."""
        write_arrays(
            path,
            index=self.index,
            output=self.output,
            target=self.target,
            loss=self.loss,
            kind=np.array(self.kind),
            metric=np.array(self.metric or ""),
            epoch=np.array(-1 if self.epoch is None else self.epoch),
        )


def read_samples(path: Path) -> Samples | None:
    """What :meth:`Samples.write` wrote; None where it is missing or damaged."""
    found = read_arrays(path, "index", "output", "target", "loss", "kind", "metric", "epoch")
    if found is None:
        return None
    kind, metric, epoch = (found.pop(name).item() for name in ("kind", "metric", "epoch"))
    return Samples(**found, kind=kind, metric=metric or None, epoch=None if epoch < 0 else epoch)


def losses(output: NDArray[np.float32], target: NDArray[Any]) -> NDArray[np.float32]:
    """(N,): cross-entropies of logits (N, K) for classes, squared errors of values (N,)."""
    # A network may have diverged.
    with np.errstate(over="ignore", invalid="ignore"):
        if output.ndim == 1:
            return np.square(output - target, dtype=np.float32)
        below = output - output.max(1, keepdims=True)
        exponentials = np.exp(below, dtype=np.float64)
        of_target = below[np.arange(len(output)), target]
        return (np.log(exponentials.sum(1)) - of_target).astype(np.float32)


def accuracy(samples: Samples) -> float:
    """The share of samples whose largest logit is that of their class."""
    return float((samples.output.argmax(1) == samples.target).mean())


def balanced_accuracy(samples: Samples) -> float:
    """The mean of the classes' accuracies, over those of which there are samples."""
    counts = np.bincount(samples.target)
    right = np.bincount(samples.target, weights=samples.output.argmax(1) == samples.target)
    return float((right[counts > 0] / counts[counts > 0]).mean())


def mean_of(several: Sequence[Samples]) -> Samples:
    """What networks gave on the same samples, as one: the mean of their logits or values.

    Raises:
        Unclear: for other samples.
    """
    first = several[0]
    for other in several[1:]:
        same = all(map(np.array_equal, (first.index, first.target), (other.index, other.target)))
        if not same or first.output.shape != other.output.shape:
            raise Unclear("the networks were tested on different samples")
    output = np.stack([of.output for of in several]).mean(0, dtype=np.float64)
    return Samples.of(first.index, output, first.target)


def metrics_like(
    samples: Samples, others: Sequence[Samples], logged: Sequence[Mapping[str, float]]
) -> dict[str, float]:
    """Loss, and of classes accuracies, by the names under which the ``others`` have logged theirs.

    A balanced accuracy only where they have one.
    """
    names = {other.metric for other in others}
    loss = names.pop() if len(names) == 1 else None
    found = {loss or samples.kind: float(samples.loss.mean(dtype=np.float64))}
    if samples.kind == "cross_entropy":
        plain = [name for name in logged[0] if is_accuracy(name)]
        found[_named(plain, accuracy, others, logged) or "accuracy"] = accuracy(samples)
        balanced = [name for name in logged[0] if weighs_classes_alike(name)]
        name = _named(balanced, balanced_accuracy, others, logged)
        found |= {} if name is None else {name: balanced_accuracy(samples)}
    return found


def _named(
    names: Sequence[str],
    of: Callable[[Samples], float],
    others: Sequence[Samples],
    logged: Sequence[Mapping[str, float]],
) -> str | None:
    """The first of ``names`` under which each of the ``others`` has logged this."""
    values = [of(other) for other in others]
    for name in names:
        found = [metrics.get(name, np.nan) for metrics in logged]
        if all(abs(a - b) < _CLOSE for a, b in zip(found, values, strict=True)):
            return name
    return None


def write_arrays(path: Path, **arrays: NDArray[Any]) -> None:
    """An ``npz`` file; a kill leaves all of it, or what was there before."""
    unfinished = path.with_name(f"{path.name}.part")
    with unfinished.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]  # its allow_pickle
    os.replace(unfinished, path)


def read_arrays(path: Path, *names: str) -> dict[str, NDArray[Any]] | None:
    """The arrays ``names`` of an ``npz`` file; None where it is missing or damaged."""
    try:
        # numpy leaves a file open that it cannot read.
        with path.open("rb") as file, np.load(file) as stored:
            return {name: stored[name] for name in names}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None


def _check_classes(output: NDArray[Any], target: NDArray[Any]) -> None:
    n = len(output)
    if target.shape != (n,) or output.ndim != 2 or output.shape[1] < 2:
        raise Unclear(
            f"classes need outputs (N, K) and labels (N,), not {output.shape} and {target.shape}"
        )
    k = output.shape[1]
    if n and not (target.min() >= 0 and target.max() < k):
        raise Unclear(f"labels of {k} outputs lie in [0, {k - 1}], not {_range(target)}")
    if n and (output >= 0).all() and np.allclose(output.sum(1, dtype=np.float64), 1, atol=1e-3):
        raise Unclear("forward gives probabilities, not logits")


def _check_values(output: NDArray[Any], target: NDArray[Any]) -> None:
    n = len(output)
    if target.dtype == np.bool_ or {output.shape, target.shape} - {(n,), (n, 1)}:
        raise Unclear(
            f"values need outputs and real targets (N,), not {output.shape} and {target.shape}"
            f" {target.dtype}"
        )


def _range(target: NDArray[Any]) -> str:
    return f"[{target.min()}, {target.max()}]"
