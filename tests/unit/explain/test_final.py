"""Which figures a final job draws, from what its fits left behind."""

from pathlib import Path
from typing import Any

import pytest
import torch
from fits_left import Regressor, Rows, write_fit
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import Tensor, nn

from lightning_hpo.data.augment import BatchAugment
from lightning_hpo.data.digits import DigitsDataModule
from lightning_hpo.explain import regression
from lightning_hpo.explain.attribution import METHODS
from lightning_hpo.explain.classification import Classified
from lightning_hpo.explain.final import explain
from lightning_hpo.explain.weights import layer_weights
from lightning_hpo.flavour import pl
from lightning_hpo.models.cnn import CNNClassifier
from lightning_hpo.models.fc import FCClassifier

ALWAYS = {"learning_curves", "predicted_against_true", "activations", "weight_histograms"}


def explained(final_dir: Path, n_inputs: int, *loggers: pl.loggers.TensorBoardLogger) -> set[str]:
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
    augment = BatchAugment(erasing=1.0)

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


def test_tensorboard_has_the_same_figures(final_dir: Path) -> None:
    logger = pl.loggers.TensorBoardLogger(final_dir, name="", version="")
    names = explained(final_dir, 1, logger)
    logger.finalize("success")
    events = EventAccumulator(str(final_dir)).Reload()
    assert set(events.Tags()["images"]) == names
