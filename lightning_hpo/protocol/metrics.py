"""``metrics.csv``, written and read."""

import csv
import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lightning_hpo.protocol.folder import JobFolder

_NOT_METRICS = ("epoch", "step")

Curve = NDArray[np.float32]
Columns = Mapping[str, Curve]


def write_metrics(
    folder: Path, columns: Columns, sparse: Columns | None = None, every: int = 1
) -> None:
    """``metrics.csv`` as Lightning's CSVLogger writes it: ``columns`` (E,) for each epoch.

    ``sparse`` columns, which may be shorter, have a value in every ``every``-th epoch only.
    """
    sparse = sparse or {}
    folder.mkdir(parents=True, exist_ok=True)
    with JobFolder(folder).metrics.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["epoch", "step", *columns, *sparse])
        for epoch in range(max(len(column) for column in columns.values())):
            shown = (epoch + 1) % every == 0
            writer.writerow(
                [epoch, epoch + 1]
                + [cell(column, epoch) for column in columns.values()]
                + [cell(column, epoch) if shown else "" for column in sparse.values()]
            )


def read_curves(path: Path) -> dict[str, list[float]]:
    """``metrics.csv`` as one value per epoch for each metric, NaN where none was logged.

    Rows without an epoch, such as those of Lightning's LearningRateMonitor, are left out.
    """
    with path.open() as file:
        rows = [row for row in csv.DictReader(file) if row.get("epoch")]
    n_epochs = 1 + max((int(row["epoch"]) for row in rows), default=-1)
    curves: dict[str, list[float]] = {}
    for row in rows:
        for name, text in row.items():
            if text and name not in _NOT_METRICS:
                curves.setdefault(name, [math.nan] * n_epochs)[int(row["epoch"])] = float(text)
    return curves


def cell(column: Curve, epoch: int) -> str:
    """A value as ``metrics.csv`` shows it; empty where there is none."""
    return f"{column[epoch]:.7g}" if epoch < len(column) and np.isfinite(column[epoch]) else ""
