"""A regressor, its data, and what fits of it leave in their folders."""

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from lightning_hpo.data.base import Arrays, TensorDataModule
from lightning_hpo.flavour import pl


class Rows(TensorDataModule):
    """8 training rows, inputs from 0 to 7; test inputs reach 9."""

    input_names, target_name, noise_variance = ("time in s",), "height in m", 0.25

    def __init__(self, n_inputs: int) -> None:
        super().__init__(split={"method": "none"}, batch_size=8)
        self.n_inputs = n_inputs

    def load(self) -> Arrays:
        x = np.repeat(np.arange(8, dtype=np.float32)[:, None], self.n_inputs, axis=1)
        return Arrays(x, x[:, 0], x + 2, x[:, 0] + 2)

    def true_curve(self, x: NDArray[np.floating]) -> NDArray[np.floating]:
        return x


class Regressor(pl.LightningModule):
    def __init__(self, n_inputs: int) -> None:
        super().__init__()
        self.network = nn.Sequential(nn.Linear(n_inputs, 4), nn.ReLU(), nn.Linear(4, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.network(x)[:, 0]


def write_fit(folder: Path, **result: float) -> None:
    folder.mkdir(parents=True)
    (folder / "result.json").write_text(json.dumps({"best_epoch": 1, **result}))
    (folder / "metrics.csv").write_text("epoch,step,train/loss,val/loss\n0,1,2,3\n1,2,1,2\n")
