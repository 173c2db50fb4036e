"""What stacked fits leave behind: the files that fits of the folds alone would have left.

Shapes: F folds, E epochs.
"""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pytorch_lightning.loggers import TensorBoardLogger

from lightning_hpo.callbacks.records import log_searched

Curve = NDArray[np.float32]
Columns = Mapping[str, Curve]

METRICS_FILE = "metrics.csv"


def mean_curve(folds: Sequence[Curve], best_epochs: Sequence[int]) -> Curve:
    """The mean over folds (E,); one that has stopped counts with its best epoch, which it is at."""
    n_epochs = max(len(fold) for fold in folds)
    held = [
        np.concatenate([fold, np.full(n_epochs - len(fold), fold[best])])
        for fold, best in zip(folds, best_epochs, strict=True)
    ]
    return np.mean(held, axis=0, dtype=np.float32)


def write_metrics(
    folder: Path, columns: Columns, sparse: Columns | None = None, every: int = 1
) -> None:
    """``metrics.csv`` as Lightning's CSVLogger writes it: ``columns`` (E,) for each epoch.

    ``sparse`` columns, which may be shorter, have a value in every ``every``-th epoch only.
    """
    sparse = sparse or {}
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / METRICS_FILE).open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["epoch", "step", *columns, *sparse])
        for epoch in range(max(len(column) for column in columns.values())):
            shown = (epoch + 1) % every == 0
            writer.writerow(
                [epoch, epoch + 1]
                + [cell(column, epoch) for column in columns.values()]
                + [cell(column, epoch) if shown else "" for column in sparse.values()]
            )


def write_events(
    folder: Path, columns: Columns, every: int, *, params: Mapping[str, Any], objective: float
) -> None:
    """TensorBoard events: every ``every``-th epoch of ``columns``, and the HParams tab."""
    logger = TensorBoardLogger(folder, name="", version="", default_hp_metric=False)
    for name, column in columns.items():
        for epoch in range(every - 1, len(column), every):
            if np.isfinite(column[epoch]):
                logger.experiment.add_scalar(name, float(column[epoch]), epoch)
    log_searched(logger, params, objective)
    logger.finalize("success")


def cell(column: Curve, epoch: int) -> str:
    """A value as ``metrics.csv`` shows it; empty where there is none."""
    return f"{column[epoch]:.7g}" if epoch < len(column) and np.isfinite(column[epoch]) else ""
