"""Predictions over a grid of inputs: what is kept of a fold's network instead of its weights.

For real-valued targets of one input. The grid spans the training data, never the test data, and is
the same for every fold of a study. Here alone live the grid and the format of its file: an ``npz``
with the arrays ``x_grid`` and ``y``, each (G,), in the units of the data.

Shapes: N samples, I inputs, G points of a grid.
"""

from pathlib import Path
from typing import Any, TypeGuard

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lightning_hpo.data import told
from lightning_hpo.data.base import TensorDataModule
from lightning_hpo.explain.attribution import as_input, evaluating
from lightning_hpo.flavour import pl
from lightning_hpo.plots.regression import Line

_GRID_POINTS = 400


def is_regression(data: object) -> TypeGuard[TensorDataModule]:
    """Whether these are resident data with real-valued targets, inputs as rows (N, I)."""
    return (
        isinstance(data, TensorDataModule) and data.num_classes == 0 and len(data.input_shape) == 1
    )


def input_grid(data: object) -> Tensor | None:
    """(G, 1) over all training data, validation included; None but for regression on one input."""
    if not is_regression(data) or data.input_shape != (1,):
        return None
    return grid_over(data.raw("train")[0], data.raw("val")[0])


def true_line(data: object, x_g: NDArray[Any]) -> Line | None:
    """The curve without noise at the inputs ``x_g`` (G,), of data that know it."""
    values_g = told.true_values(data, x_g)
    return None if values_g is None else Line(x_g, values_g)


def grid_over(*inputs_n1: Tensor) -> Tensor:
    """(G, 1) evenly spaced from the smallest to the largest of all inputs (N, 1), on the CPU."""
    x = torch.cat([inputs.detach().cpu() for inputs in inputs_n1])
    return torch.linspace(float(x.min()), float(x.max()), _GRID_POINTS)[:, None]


def predict(module: pl.LightningModule, data: TensorDataModule, x_ni: Tensor) -> Tensor:
    """Predictions (N,) on the CPU for inputs (N, I) as stored, without dropout."""
    # Normalised where the network is: on a GPU all of the training data are.
    x_ni = x_ni.to(next(module.parameters()).device)
    with torch.no_grad(), evaluating(module):
        y: Tensor = module(as_input(module, data.normalised(x_ni)))
    return y.float().cpu().reshape(-1)


def save_over_grid(path: Path, module: pl.LightningModule, data: object) -> None:
    """Write what ``module`` predicts over the grid of ``data``; nothing where they have none."""
    x_grid = input_grid(data)
    if x_grid is not None:
        assert isinstance(data, TensorDataModule)
        save_predictions(path, x_grid, predict(module, data, x_grid))


def save_predictions(path: Path, x_grid: Tensor, y: Tensor) -> None:
    """Write the grid, (G, 1) or (G,), and the predictions (G,)."""
    np.savez_compressed(path, x_grid=x_grid.reshape(-1).numpy(), y=y.reshape(-1).numpy())


def load_predictions(path: Path) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """``x_grid`` and ``y``, each (G,)."""
    with np.load(path) as stored:
        return stored["x_grid"], stored["y"]
