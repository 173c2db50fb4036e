"""Which figures a final job draws of a regressor and of a classifier."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from pytorch_lightning.loggers import TensorBoardLogger
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import Tensor, nn

from lightning_hpo.data.base import Arrays, TensorDataModule
from lightning_hpo.data.digits import DigitsDataModule
from lightning_hpo.explain import curves, regression
from lightning_hpo.explain.attribution import METHODS
from lightning_hpo.explain.classification import Classified
from lightning_hpo.explain.final import explain
from lightning_hpo.explain.predictions import save_predictions
from lightning_hpo.explain.weights import layer_weights
from lightning_hpo.models.cnn import CNNClassifier
from lightning_hpo.models.fc import FCClassifier
from lightning_hpo.plots.regression import Line
from lightning_hpo.protocol.folder import JobFolder

ALWAYS = {"learning_curves", "predicted_against_true", "activations", "weight_histograms"}


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


@pytest.fixture
def final_dir(tmp_path: Path) -> Path:
    for name in ("fold_0", "fold_1", "refit"):
        write_fit(tmp_path / name)
    x = torch.linspace(0, 7, 400)
    save_predictions(tmp_path / "fold_0" / "predictions.npz", x, x)
    save_predictions(tmp_path / "fold_1" / "predictions.npz", x, x + 1)
    return tmp_path


def explained(final_dir: Path, n_inputs: int, *loggers: TensorBoardLogger) -> set[str]:
    module, data = Regressor(n_inputs), Rows(n_inputs)
    data.setup("test")
    drawn = explain(module, data, final_dir, loggers, untrained=layer_weights(module))
    assert drawn.left_out == {}
    assert {path.parent for path in drawn.paths} == {final_dir / "figures"}
    return {path.stem for path in drawn.paths}


def test_one_input_has_a_curve_and_several_have_none(final_dir: Path) -> None:
    assert explained(final_dir, 1) == ALWAYS | {"fit"}
    assert explained(final_dir, 3) == ALWAYS


def test_the_fit_without_early_stopping_has_learning_curves_of_its_own(final_dir: Path) -> None:
    write_fit(final_dir / "holdout", val_fraction=0.1)
    assert explained(final_dir, 1) == ALWAYS | {"fit", "learning_curves_holdout"}


# Rule: a figure that fails is left out with its reason, and costs none of the others.
def test_a_figure_that_fails_costs_nothing_else(
    final_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("expected scalar type Float\nbut found Double")

    monkeypatch.setattr(regression.plots, "fitted_curve", broken)
    module, data = Regressor(1), Rows(1)
    data.setup("test")
    drawn = explain(module, data, final_dir, [], untrained=layer_weights(module))
    assert drawn.left_out == {"fit": "RuntimeError: expected scalar type Float but found Double"}
    assert {path.stem for path in drawn.paths} == ALWAYS


# Rule: the network's precision is no matter to its figures.
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_networks_of_another_precision_are_drawn(final_dir: Path, dtype: torch.dtype) -> None:
    module, data = Regressor(1).to(dtype), Rows(1)
    data.setup("test")
    drawn = explain(module, data, final_dir, [], untrained=layer_weights(module))
    assert drawn.left_out == {}
    assert {path.stem for path in drawn.paths} == ALWAYS | {"fit"}


class Images(nn.Module):
    """A classifier of (1, 4, 4) images into two classes; its ReLU writes into its input."""

    def __init__(self) -> None:
        super().__init__()
        self.network = nn.Sequential(
            nn.Conv2d(1, 2, 3), nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(8, 2)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.network(x)


class Foreign:
    """Somebody's data: it has a number of classes, no names, and two test loaders."""

    num_classes = 2

    def test_dataloader(self) -> list[list[tuple[Tensor, Tensor]]]:
        return [[(torch.rand(4, 1, 4, 4), torch.tensor([0, 1, 0, 1]))]] * 2


# Rule: of data that are no TensorDataModule what needs no single samples is drawn all the same.
def test_data_without_names_of_classes_are_drawn(tmp_path: Path) -> None:
    write_fit(tmp_path / "refit")
    drawn = explain(Images(), Foreign(), tmp_path, [])
    pictures = {"learning_curves", "confusion_matrix", "confused_pairs", "filters_1"}
    assert {path.stem for path in drawn.paths} == pictures
    reason = "single test images are known of a TensorDataModule alone."
    assert set(drawn.left_out.values()) == {reason}
    assert "mistakes" not in pictures & set(drawn.left_out)


# Rule: the final job draws Grad-CAM where a convolution is, and of the other methods of attribution
# those that the configuration asked for.
@pytest.mark.parametrize(
    ("network", "methods", "drawn"),
    [
        (CNNClassifier, [], {"grad_cam"}),
        (CNNClassifier, ["grad_cam"], {"grad_cam"}),
        (CNNClassifier, ["integrated_gradients"], {"grad_cam", "integrated_gradients"}),
        (FCClassifier, ["grad_cam", "integrated_gradients"], {"integrated_gradients"}),
    ],
)
def test_which_attribution_methods_are_drawn(
    tmp_path: Path, network: type[pl.LightningModule], methods: list[str], drawn: set[str]
) -> None:
    data = DigitsDataModule(train_limit=200)
    data.setup("test")
    module = network(input_shape=(1, 8, 8), neurons_1=4, neurons_2=4)
    asked = tuple(METHODS[name] for name in methods)
    attempts = dict(Classified(module, data, asked).attempts())
    assert attempts.keys() & METHODS.keys() == drawn
    for name in drawn:
        (figure,) = attempts[name]().values()
        title = METHODS[name].title
        assert figure.get_suptitle().startswith(f"{title}: where the evidence for ")
        assert figure.axes[6].get_ylabel().replace("\n", " ") == title


# Rule: without a test nothing looks at the test data.
def test_untested_networks_have_no_figures_of_the_test_data(tmp_path: Path) -> None:
    write_fit(tmp_path / "refit")
    drawn = explain(Images(), Foreign(), tmp_path, [], tested=False)
    assert {path.stem for path in drawn.paths} == {"learning_curves", "filters_1"}
    assert drawn.left_out == {}


# Rule: a curve stands in the panel of its quantity and in the colour of its stage, by the stages
# that the fit recorded.
def test_curves_of_any_name_share_the_panel_of_their_quantity(tmp_path: Path) -> None:
    stages = {"MyLoss": "train", "loss_val": "val", "train_loss_epoch": "train", "lr": "train"}
    (tmp_path / "result.json").write_text(json.dumps({"best_epoch": 0, "stages": stages}))
    header = "epoch,step,train_loss_step,train_loss_epoch,loss_val,MyLoss,test_acc"
    (tmp_path / "metrics.csv").write_text(f"{header}\n0,1,9,1,2,3,4\n1,2,9,5,6,7,8\n")
    assert curves._curves(JobFolder(tmp_path)) == {
        "train/MyLoss": [3, 7],
        "train/loss": [1, 5],
        "val/loss": [2, 6],
    }


def test_tensorboard_has_the_same_figures(final_dir: Path) -> None:
    logger = TensorBoardLogger(final_dir, name="", version="")
    names = explained(final_dir, 1, logger)
    logger.finalize("success")
    events = EventAccumulator(str(final_dir)).Reload()
    assert set(events.Tags()["images"]) == names


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


def test_layer_weights_are_copies_of_matrices_and_kernels() -> None:
    module = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Linear(2, 1), nn.LazyLinear(1))
    weights = layer_weights(module)
    assert {name: tuple(w.shape) for name, w in weights.items()} == {"0": (2, 1, 3, 3), "2": (1, 2)}
    with torch.no_grad():
        module[2].weight.zero_()
    assert weights["2"].any()
