"""``outputs.npz``: what a fold's network gave in every validation, until its epoch is known.

The other folds choose the epoch at which a fold is judged. Until they are done its outputs of all
epochs wait in its folder; :func:`settle` makes ``samples.npz`` of those that count.

Shapes: E epochs, N samples, K classes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_hpo.protocol.folder import JobFolder
from lightning_hpo.protocol.samples import (
    MOST_BYTES,
    Samples,
    Unclear,
    read_arrays,
    read_samples,
    write_arrays,
)


@dataclass
class OutputsByEpoch:
    """Outputs (N, ...) of the epochs that were validated, the latest for each.

    ``only_last``: of the last epoch alone, as when they get larger than :data:`MOST_BYTES`.
    """

    only_last: bool = False
    by_epoch: dict[int, NDArray[np.float32]] = field(default_factory=dict)

    def add(self, epoch: int, output: NDArray[np.float32]) -> None:
        """``output``: of the same samples in each epoch."""
        if (len(self.by_epoch) + 1) * output.nbytes > MOST_BYTES:
            self.only_last = True
        if self.only_last:
            self.by_epoch.clear()
        self.by_epoch[epoch] = output

    def write(self, path: Path, index: NDArray[Any], target: NDArray[Any]) -> None:
        """``index``, ``target`` (N,): as in ``samples.npz``."""
        epochs = np.array(list(self.by_epoch), dtype=np.int64)
        output = np.stack(list(self.by_epoch.values()))
        write_arrays(path, epoch=epochs, output=output, index=index, target=target)


def settle(
    folders: Sequence[JobFolder], epochs: Sequence[int], logged: Sequence[Mapping[str, float]]
) -> None:
    """Leave ``samples.npz`` of each fold at its epoch, which logged this, and of no other epoch.

    Again it changes nothing: a kill in between costs nothing.
    """
    for folder, epoch, metrics in zip(folders, epochs, logged, strict=True):
        found = _at_epoch(folder.outputs, epoch)
        if found is not None:
            found.judged_by(metrics).write(folder.samples)
        elif (kept := read_samples(folder.samples)) is None or kept.epoch != epoch:
            # Of an epoch that no longer counts, since another fold was made again.
            folder.samples.unlink(missing_ok=True)
        folder.outputs.unlink(missing_ok=True)


def _at_epoch(path: Path, epoch: int) -> Samples | None:
    found = read_arrays(path, "epoch", "output", "index", "target")
    if found is None or epoch not in found["epoch"]:
        return None
    (place,) = np.flatnonzero(found["epoch"] == epoch)
    try:
        samples = Samples.of(found["index"], found["output"][place], found["target"])
    except Unclear:
        return None
    return replace(samples, epoch=epoch)
