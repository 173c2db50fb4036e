"""scikit-learn's wines as rows with classes and two columns of codes, by a user's data module."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.datasets import load_wine
from sklearn.model_selection import train_test_split

from lightning_hpo.data.base import Arrays, TensorDataModule

N_REAL = 11


class WineRows(TensorDataModule):
    """178 wines of 3 growers: 11 numbers, then the codes of two columns that are cut into classes.

    142 train and 36 test. One wine in ten has lost its first code, which is then 0.
    """

    name = "wine"
    cardinalities = (6, 4)

    def load(self) -> Arrays:
        rows, y = load_wine(return_X_y=True)
        codes = [_cut(rows[:, c], k - 1) for c, k in zip((0, 12), self.cardinalities, strict=True)]
        codes[0][::10] = 0
        x = np.column_stack([rows[:, 1:12], *codes]).astype(np.float32)
        parts = train_test_split(x, y, test_size=0.2, random_state=0, stratify=y)
        return Arrays(parts[0], parts[2], parts[1], parts[3], ("Barolo", "Grignolino", "Barbera"))

    def normalised(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([super().normalised(x)[:, :N_REAL], x[:, N_REAL:]], dim=1)


class RareWineRows(WineRows):
    """Only 12 of the last grower's wines train: one wine in ten."""

    def load(self) -> Arrays:
        of = super().load()
        kept = (
            np.flatnonzero(of.train_y != 2).tolist() + np.flatnonzero(of.train_y == 2)[:12].tolist()
        )
        return Arrays(of.train_x[kept], of.train_y[kept], of.test_x, of.test_y, of.classes)


def _cut(column: NDArray[Any], n: int) -> NDArray[Any]:
    """1 to ``n``, by quantiles."""
    edges = np.quantile(column, np.linspace(0, 1, n + 1)[1:-1])
    return np.digitize(column, edges) + 1
