"""What stacked fits leave behind: the files that fits of the folds alone would have left.

Shapes: F folds, E epochs.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lightning_hpo.flavour import pl
from lightning_hpo.protocol.metrics import Columns, Curve


def mean_curve(folds: Sequence[Curve], best_epochs: Sequence[int]) -> Curve:
    """The mean over folds (E,); one that has stopped counts with its best epoch, which it is at."""
    n_epochs = max(len(fold) for fold in folds)
    held = [
        np.concatenate([fold, np.full(n_epochs - len(fold), fold[best])])
        for fold, best in zip(folds, best_epochs, strict=True)
    ]
    return np.mean(held, axis=0, dtype=np.float32)


def write_events(folder: Path, columns: Columns, every: int) -> None:
    """TensorBoard events: every ``every``-th epoch of ``columns``."""
    logger = pl.loggers.TensorBoardLogger(folder, name="", version="", default_hp_metric=False)
    for name, column in columns.items():
        for epoch in range(every - 1, len(column), every):
            if np.isfinite(column[epoch]):
                logger.experiment.add_scalar(name, float(column[epoch]), epoch)
    logger.finalize("success")
