"""The figures of a regressor while it trains."""

from pathlib import Path

import pytest
import torch
from inspected_fits import fit, pictures
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from lightning_hpo import plots
from lightning_hpo.callbacks.inspection import (
    WeightHistograms,
)
from lightning_hpo.callbacks.regression import Predictions
from lightning_hpo.data.curve import CurveDataModule
from lightning_hpo.flavour import pl
from lightning_hpo.models.mlp import MLPRegressor

# Lightning's, on its loggers, intervals and idle hardware.
pytestmark = [
    pytest.mark.filterwarnings("ignore::UserWarning:(pytorch_)?lightning"),
    pytest.mark.filterwarnings("ignore:Experiment logs directory"),
]


def test_a_regressor_shows_its_predictions(tmp_path: Path) -> None:
    drawing = [Predictions(every_n_epochs=1), WeightHistograms()]
    fit(tmp_path, *drawing, module=MLPRegressor(), data=CurveDataModule())
    expected = {"fit", "predicted_against_true"}
    expected |= {f"{name}_epoch_001" for name in expected}
    assert pictures(tmp_path) == expected | {"weight_histograms"}


class Table(pl.LightningDataModule):
    """A user's own loaders, which know nothing of this package."""

    target_name = "height in m"

    def train_dataloader(self):
        x = torch.arange(24.0).reshape(12, 2)
        return DataLoader(TensorDataset(x, x.sum(1)), 6)

    val_dataloader = train_dataloader


class Line(pl.LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(2, 1)

    def forward(self, x):
        return self.layer(x)

    def training_step(self, batch, batch_idx):
        return nn.functional.mse_loss(self(batch[0])[:, 0], batch[1])

    validation_step = training_step

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=1e-4)


# Rule: of anybody's loaders the validation is shown; of classes a line says why there is nothing.
def test_a_users_own_regressor_shows_its_validation(tmp_path: Path, monkeypatch) -> None:
    drawn = {}
    draw = plots.predicted_against_true
    monkeypatch.setattr(
        plots, "predicted_against_true", lambda **given: drawn.update(given) or draw(**given)
    )
    fit(tmp_path, Predictions(), module=Line(), data=Table(), epochs=1)
    assert pictures(tmp_path) == {"predicted_against_true"}
    assert drawn["val"].x.tolist() == [4.0 * i + 1 for i in range(12)]
    assert drawn["target_name"] == "height in m" and "train" not in drawn


def test_classes_of_a_users_own_are_left_out(tmp_path: Path, caplog) -> None:
    class Classes(Table):
        def val_dataloader(self):
            return DataLoader(TensorDataset(torch.zeros(4, 2), torch.arange(4)), 4)

    fit(tmp_path, Predictions(), module=Line(), data=Classes(), epochs=1, limit_val_batches=0)
    assert pictures(tmp_path) == {"predicted_against_true"}
    caplog.clear()
    fit(tmp_path / "1", Predictions(), module=Quiet(), data=Classes(), epochs=1)
    assert "figures of Predictions are left out: got outputs (4, 1)" in caplog.text


class Quiet(Line):
    def validation_step(self, batch, batch_idx):
        self.log("val/loss", self(batch[0]).sum())
