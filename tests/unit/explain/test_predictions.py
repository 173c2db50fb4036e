"""Predictions over a grid: which data have one, what a fit stores at its best and last epoch."""

from pathlib import Path

import numpy as np
import pytest
import torch
from quiet import quiet_trainer
from torch import Tensor, nn

from lightning_hpo.callbacks.records import BestPredictions, LastPredictions
from lightning_hpo.data.base import Arrays, TensorDataModule
from lightning_hpo.explain.predictions import (
    grid_over,
    input_grid,
    is_regression,
    load_predictions,
    predict,
    save_predictions,
)
from lightning_hpo.flavour import pl


class Rows(TensorDataModule):
    """12 training rows of ``n_inputs`` numbers, the first from 0 to 11; test inputs up to 100."""

    def __init__(self, n_inputs: int = 1, *, integer: bool = False) -> None:
        super().__init__(split={"method": "kfold", "n_splits": 3, "fold": 1}, batch_size=12)
        self.n_inputs, self.integer = n_inputs, integer

    def load(self) -> Arrays:
        x = np.repeat(np.arange(12, dtype=np.float32)[:, None], self.n_inputs, axis=1)
        y = np.arange(12) % 2 if self.integer else 2 * x[:, 0]
        return Arrays(x, y, 100 + x, y)


class Counter(pl.LightningModule):
    """Predicts its epoch, whatever the input; ``val/loss`` is 3, 1, 2 in epochs 0, 1, 2."""

    def __init__(self) -> None:
        super().__init__()
        self.epoch = nn.Parameter(torch.zeros(()))
        self.dropout = nn.Dropout(0.9)

    def forward(self, x: Tensor) -> Tensor:
        return self.dropout(self.epoch + 0 * x[:, 0] + 1) - 1

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        with torch.no_grad():
            self.epoch.fill_(self.current_epoch)
        return 0 * self.epoch

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        self.log("val/loss", (3.0, 1.0, 2.0)[self.current_epoch])

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def prepared(data: Rows) -> Rows:
    data.setup("fit")
    return data


def test_only_real_valued_targets_of_rows_are_a_regression() -> None:
    assert is_regression(prepared(Rows(3)))
    assert not is_regression(prepared(Rows(3, integer=True)))
    assert not is_regression(pl.LightningDataModule())


# The test inputs, here beyond 100, stay shut.
def test_the_grid_spans_the_training_and_the_validation_split_of_every_fold() -> None:
    grid = input_grid(prepared(Rows()))
    assert grid is not None
    assert grid.shape == (400, 1)
    assert (grid[0].item(), grid[-1].item()) == (0, 11)
    assert input_grid(prepared(Rows(2))) is None
    assert input_grid(prepared(Rows(integer=True))) is None


def test_predictions_are_of_normalised_inputs_without_dropout() -> None:
    data = prepared(Rows())
    module = Counter().train()
    module.forward = lambda x: module.dropout(x)[:, 0]  # type: ignore[method-assign]
    x = torch.tensor([[3.0], [5.0]])
    torch.testing.assert_close(predict(module, data, x), data.normalised(x)[:, 0])
    assert module.training


def test_a_file_gives_back_what_was_saved(tmp_path: Path) -> None:
    x_grid = grid_over(torch.tensor([[0.0]]), torch.tensor([[1.0]]))
    save_predictions(tmp_path / "p.npz", x_grid, x_grid**2)
    x, y = load_predictions(tmp_path / "p.npz")
    assert x.shape == y.shape == (400,)
    np.testing.assert_array_equal(y, x_grid[:, 0] ** 2)


@pytest.mark.parametrize("sanity", [0, 1])
def test_a_fit_stores_its_best_and_its_last_epoch(tmp_path: Path, sanity: int) -> None:
    best = BestPredictions(tmp_path / "best.npz", monitor="val/loss", mode="min")
    fit(best, LastPredictions(tmp_path / "last.npz"), Rows(), sanity=sanity)
    assert set(load_predictions(tmp_path / "best.npz")[1]) == {1.0}
    assert set(load_predictions(tmp_path / "last.npz")[1]) == {2.0}


def test_data_without_a_grid_leave_no_file(tmp_path: Path) -> None:
    best = BestPredictions(tmp_path / "best.npz", monitor="val/loss", mode="min")
    fit(best, LastPredictions(tmp_path / "last.npz"), Rows(2))
    assert list(tmp_path.iterdir()) == []


def fit(best: BestPredictions, last: LastPredictions, data: Rows, *, sanity: int = 0) -> None:
    trainer = quiet_trainer(
        max_epochs=3,
        callbacks=[best, last],
        num_sanity_val_steps=sanity,
    )
    trainer.fit(Counter(), datamodule=data)
