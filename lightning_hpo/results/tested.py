"""What a test metric is on each sample: tables of trainings by samples, from ``samples.npz``.

Shapes: R trainings, N samples.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lightning_hpo.errors import UserError
from lightning_hpo.protocol.samples import Samples, read_samples
from lightning_hpo.results.crossed import Losses

# A logged mean may be of batches in half precision; one that weighs samples is further off.
_CLOSE = 1e-3
_QUANTITIES: Mapping[str, Mapping[str, Callable[[Samples], NDArray[np.generic]]]] = {
    "cross_entropy": {
        "loss": lambda found: found.loss,
        "right": lambda found: found.output.argmax(1) == found.target,
        "wrong": lambda found: found.output.argmax(1) != found.target,
    },
    "squared_error": {
        "loss": lambda found: found.loss,
        "absolute error": lambda found: np.abs(found.output - found.target),
    },
}


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
    for quantity, of in _QUANTITIES[known[0].kind].items():
        tables = [
            Tested(of(each).astype(np.float64)[None], each.index, each.target, quantity)
            for each in known
        ]
        if all(map(_has_mean, tables, means)):
            return stacked(tables)
    return None


def stacked(tables: Sequence[Tested | None]) -> Tested | None:
    """Each table one training, the mean of its own; None where they are of different samples."""
    first = tables[0]
    losses = [each.losses_rn.mean(0) for each in tables if each is not None]
    if first is None or not all(each and each.is_of_the_samples_of(first) for each in tables):
        return None
    return Tested(np.stack(losses), first.index, first.target, first.quantity)


def _has_mean(found: Tested, logged: float | None) -> bool:
    mean = float(found.losses_rn.mean())
    return logged is not None and abs(mean - logged) <= _CLOSE * abs(mean) + 1e-9
