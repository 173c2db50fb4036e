"""``losses.npz``: what a trial's monitor is of each sample, in the folds that validated on it.

Shapes: N samples.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lightning_hpo.protocol.folder import JobFolder
from lightning_hpo.protocol.quantities import Values
from lightning_hpo.protocol.samples import read_arrays, write_arrays


@dataclass(frozen=True)
class TrialValues:
    """values (N,): of the samples index (N,), positions in the data's training set.

    ``quantity``: what they are, whose mean is the monitor: a loss, or whether a sample is right.
    """

    index: NDArray[np.integer]
    values: Values
    quantity: str

    def is_of_the_samples_of(self, other: "TrialValues") -> bool:
        return self.quantity == other.quantity and np.array_equal(self.index, other.index)

    def write(self, path: Path) -> None:
        """A kill leaves all of it, or what was there before."""
        index = self.index.astype(np.int32)
        write_arrays(path, index=index, values=self.values, quantity=np.array(self.quantity))


def read_trial_values(path: Path) -> TrialValues | None:
    """None where there are none, or they are damaged."""
    found = read_arrays(path, "index", "values", "quantity")
    if found is None or found["index"].shape != found["values"].shape:
        return None
    return TrialValues(found["index"], found["values"], found["quantity"].item())


def of_all_folds(folds: Sequence[TrialValues | None]) -> TrialValues | None:
    """Of every sample the mean over the folds that validated on it, one in each repeat.

    Samples ascend. None where the values of a fold are not known.
    """
    known = [fold for fold in folds if fold is not None]
    if not known or len(known) < len(folds) or len({fold.quantity for fold in known}) > 1:
        return None
    every = np.concatenate([fold.index for fold in known])
    index, places, counts = np.unique(every, return_inverse=True, return_counts=True)
    values = np.concatenate([fold.values for fold in known])
    means = np.bincount(places, weights=values) / counts
    return TrialValues(index, means.astype(np.float32), known[0].quantity)


def join(folder: JobFolder, n_folds: int) -> None:
    """One file of the trial in place of its folds' own."""
    paths = [folder.fold(fold).losses for fold in range(n_folds)]
    found = of_all_folds([read_trial_values(path) for path in paths])
    if found is not None:
        found.write(folder.losses)
    for path in paths:
        path.unlink(missing_ok=True)
