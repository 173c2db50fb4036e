"""The figures of a regressor while it trains."""

from pathlib import Path

import pytest
from inspected_fits import fit, pictures

from lightning_hpo.callbacks.inspection import (
    WeightHistograms,
)
from lightning_hpo.callbacks.regression import Predictions
from lightning_hpo.data.curve import CurveDataModule
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
