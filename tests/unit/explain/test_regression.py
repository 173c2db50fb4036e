"""What the figures of a regressor show."""

from pathlib import Path

import numpy as np
import pytest
import torch
from fits_left import Regressor, Rows
from torch import nn

from lightning_hpo.explain import regression
from lightning_hpo.plots.regression import Line


def test_the_fit_shows_folds_truth_and_the_whole_range(
    final_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = {}
    monkeypatch.setattr(
        regression.plots, "fitted_curve", lambda network, **d: drawn.update(d, n=network)
    )
    module, data = Regressor(1), Rows(1)
    data.setup("test")
    regression.regression_figures(module, data, final_dir)["fit"]()
    # The network is drawn over the test inputs too; folds stay within the training inputs.
    assert (drawn["n"].x[0], drawn["n"].x[-1]) == (0, 9)
    assert (drawn["folds"].x[-1], np.shape(drawn["folds"].y)) == (7, (2, 400))
    assert isinstance(drawn["true"], Line)
    np.testing.assert_array_equal(drawn["true"].y, drawn["n"].x)
    assert drawn["holdout"] is None
    assert drawn["names"] == ("time in s", "height in m")
    torch.testing.assert_close(drawn["test"].x, torch.arange(2.0, 10))


def test_the_last_hidden_layer_is_the_modules_own_word_or_its_last_activation() -> None:
    module = Regressor(1)
    assert regression.last_hidden(module) == "network.1"
    module.last_hidden = "network.0"
    assert regression.last_hidden(module) == "network.0"
    assert regression.last_hidden(nn.Linear(1, 1)) is None
