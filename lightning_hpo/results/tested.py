"""What a test metric is on each sample: tables of trainings by samples, from ``samples.npz``.

Shapes: R trainings, N samples.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lightning_hpo.errors import UserError
from lightning_hpo.protocol.quantities import has_mean, quantities
from lightning_hpo.protocol.samples import Samples, read_samples
from lightning_hpo.results.crossed import Folds, Losses


@dataclass(frozen=True)
class Tested:
    """A metric on each of the samples, index (N,) and target (N,), by each training: (R, N).

    ``quantity``: what it is of a sample, such as its loss or whether it is right.
    """

    losses_rn: Losses
    index: NDArray[np.int64]
    target: NDArray[np.generic]
    quantity: str

    def is_of_the_samples_of(self, other: "Tested") -> bool:
        same = np.array_equal(self.index, other.index) and np.array_equal(self.target, other.target)
        return same and self.quantity == other.quantity


def required_samples(path: Path) -> Samples | None:
    """What a ``samples.npz`` holds; None where there is none. :class:`UserError` if damaged."""
    if not path.is_file():
        return None
    found = read_samples(path)
    if found is None or not _is_whole(found):
        raise UserError(
            f"{path} must hold what a network gave on each test sample, but is damaged; put back a"
            " copy of it, or remove it: the values are then compared without their samples."
        )
    return found


def _is_whole(found: Samples) -> bool:
    n = len(found.index)
    return n > 0 and n == len(found.output) == len(found.target) == len(found.loss)


def table(networks: Sequence[Samples | None], means: Sequence[float | None]) -> Tested | None:
    """A metric by each network, whose means were logged; None where its samples are not known.

    Nor are they where networks have different samples, or what is known of each does not have the
    mean that was logged.
    """
    known = [each for each in networks if each is not None]
    if not known or len(known) < len(networks) or len({each.kind for each in known}) > 1:
        return None
    of_each = [dict(quantities(each)) for each in known]
    for quantity in of_each[0]:
        values = [of[quantity] for of in of_each]
        if all(map(has_mean, values, means)):
            tables = [
                Tested(v.astype(np.float64)[None], each.index, each.target, quantity)
                for v, each in zip(values, known, strict=True)
            ]
            return stacked(tables)
    return None


@dataclass(frozen=True)
class OutOfFold:
    """A metric on each sample (N,) that a cross-validation validated once, by the fold that did.

    Samples ascend by ``index``.
    """

    values: Losses
    index: NDArray[np.int64]
    folds: Folds
    quantity: str

    def is_of_the_samples_of(self, other: "OutOfFold") -> bool:
        return self.quantity == other.quantity and np.array_equal(self.index, other.index)


def out_of_fold(folds: Sequence[Samples | None], means: Sequence[float]) -> OutOfFold | None:
    """By the samples of each fold, whose means were logged; None where they are not known.

    Nor are they where a sample was validated several times, or a fold has a single one.
    """
    known = [each for each in folds if each is not None]
    if len(known) < max(len(folds), 2) or len({each.kind for each in known}) > 1:
        return None
    every = np.concatenate([each.index for each in known])
    if len(np.unique(every)) < len(every) or min(len(each.index) for each in known) < 2:
        return None
    numbers = np.repeat(np.arange(len(known)), [len(each.index) for each in known])
    of_each, order = [dict(quantities(each)) for each in known], np.argsort(every)
    for quantity in of_each[0]:
        values = [of[quantity] for of in of_each]
        if all(map(has_mean, values, means)):
            together = np.concatenate(values).astype(np.float64)
            return OutOfFold(together[order], every[order], numbers[order], quantity)
    return None


def stacked(tables: Sequence[Tested | None]) -> Tested | None:
    """Each table one training, the mean of its own; None where they are of different samples."""
    first = tables[0]
    losses = [each.losses_rn.mean(0) for each in tables if each is not None]
    if first is None or not all(each and each.is_of_the_samples_of(first) for each in tables):
        return None
    return Tested(np.stack(losses), first.index, first.target, first.quantity)
