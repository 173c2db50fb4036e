"""Which figures a final job draws, from what its fits left behind."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fits_left import Regressor, Rows, write_fit
from foreign import Loaded, diabetes, digits, image_classifier, regressor, segmenter
from matplotlib.figure import Figure
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import Tensor, nn

from lightning_hpo.data.digits import DigitsDataModule
from lightning_hpo.explain import regression
from lightning_hpo.explain.attribution import METHODS
from lightning_hpo.explain.classification import Classified, Predicted
from lightning_hpo.explain.final import explain
from lightning_hpo.explain.seen import seen_in
from lightning_hpo.explain.weights import layer_weights
from lightning_hpo.flavour import pl
from lightning_hpo.models.cnn import CNNClassifier
from lightning_hpo.models.fc import FCClassifier

ALWAYS = {
    "learning_curves",
    "predicted_against_true",
    "residuals",
    "activations",
    "weight_histograms",
}


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
    of_test = Predicted.of(seen_in(module, data, data.test_dataloader()))
    attempts = dict(Classified(module, data, of_test, asked).attempts())
    assert attempts.keys() & METHODS.keys() == drawn
    for name in drawn:
        (figure,) = attempts[name]().values()
        title = METHODS[name].title
        assert figure.get_suptitle().startswith(f"{title}: where the evidence for ")
        assert figure.axes[6].get_ylabel().replace("\n", " ") == title


# Rule: a figure is drawn once, whoever shows it.
def test_tensorboard_has_the_same_figures(final_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Figure] = []

    def draw(figure: Figure, renderer: Any) -> None:
        drawn.append(figure)
        inherited(figure, renderer)

    inherited = Figure.draw
    monkeypatch.setattr(Figure, "draw", draw)
    logger = pl.loggers.TensorBoardLogger(final_dir, name="", version="")
    names = explained(final_dir, 1, logger)
    logger.finalize("success")
    events = EventAccumulator(str(final_dir)).Reload()
    assert set(events.Tags()["images"]) == names
    for name in names:
        (event,) = events.Images(name)
        shown = Image.open(io.BytesIO(event.encoded_image_string))
        kept = Image.open(final_dir / "figures" / f"{name}.png")
        assert np.array_equal(np.asarray(shown), np.asarray(kept))
    assert len(drawn) == len(names)


PICTURES = {"grad_cam", "mistakes", "feature_maps"}
OF_CLASSES = {"confusion_matrix", "confused_pairs"}
OF_NETWORK = {"learning_curves", "weight_histograms"}


@pytest.fixture
def refitted(tmp_path: Path) -> Path:
    write_fit(tmp_path / "refit")
    return tmp_path


def explained_foreign(
    module: pl.LightningModule, data: pl.LightningDataModule, final_dir: Path, **options: Any
) -> tuple[set[str], dict[str, str]]:
    drawn = explain(module, data, final_dir, [], untrained=layer_weights(module), **options)
    assert {path.parent for path in drawn.paths} == {final_dir / "figures"}
    return {path.stem for path in drawn.paths}, drawn.left_out


# Rule: a module and loaders that know nothing of us have all figures of a classifier, whether their
# batches are tuples or dicts.
@pytest.mark.parametrize("keys", [None, ("x", "y"), ("image", "label")])
def test_somebodys_image_classifier_is_explained(
    refitted: Path, keys: tuple[str, str] | None
) -> None:
    data = Loaded(*digits(), keys=keys)
    asked = METHODS["integrated_gradients"]
    names, left_out = explained_foreign(image_classifier(), data, refitted, methods=[asked])
    assert left_out == {}
    assert names == OF_CLASSES | OF_NETWORK | PICTURES | {"filters_1", asked.name}


def test_somebodys_regressor_is_explained(refitted: Path) -> None:
    names, left_out = explained_foreign(regressor(), Loaded(*diabetes()), refitted)
    assert left_out == {}
    assert names == OF_NETWORK | {"predicted_against_true", "residuals"}


# Rule: what is neither classes nor numbers has no figures of its samples, for one reason.
def test_a_map_of_labels_has_no_figures_of_samples(refitted: Path) -> None:
    x, _ = digits()
    names, left_out = explained_foreign(segmenter(), Loaded(x, (x[:, 0] > 0.5).long()), refitted)
    assert names == OF_NETWORK | {"filters_1"}
    assert list(left_out) == ["test_samples"]
    assert left_out["test_samples"].startswith(
        "got outputs (32, 2, 8, 8) and targets (32, 8, 8) int64; figures are of classes, "
    )


class Headless(pl.LightningModule):
    """Has a network and no forward."""

    def __init__(self) -> None:
        super().__init__()
        self.network = nn.Conv2d(1, 2, 3)


def test_a_module_without_forward_has_the_figures_of_its_weights(refitted: Path) -> None:
    names, left_out = explained_foreign(Headless(), Loaded(*digits()), refitted)
    assert names == OF_NETWORK | {"filters_1"}
    reason = 'NotImplementedError: Module [Headless] is missing the required "forward" function'
    assert left_out == {"test_samples": reason}


class Vectors(Loaded):
    """Gives images as rows, so that nobody sees them any more."""

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        x, y = batch
        return x.reshape(-1, 1, 8, 8), y


# Rule: a sample without a picture costs the figures that show it, for one reason; a method of the
# data module makes one.
def test_samples_without_pictures_are_not_shown(refitted: Path) -> None:
    x, y = digits()
    names, left_out = explained_foreign(image_classifier(), Vectors(x.flatten(1), y), refitted)
    assert names == OF_CLASSES | OF_NETWORK | {"filters_1"}
    assert left_out.keys() == PICTURES
    (reason,) = set(left_out.values())
    assert reason.startswith("a picture of a sample must be (C, H, W) or (H, W), got shape (64,)")


def test_the_data_module_may_make_pictures(refitted: Path) -> None:
    class Pictured(Vectors):
        def picture(self, sample: Tensor) -> Tensor:
            return sample.reshape(8, 8)

    x, y = digits()
    names, left_out = explained_foreign(image_classifier(), Pictured(x.flatten(1), y), refitted)
    assert left_out == {}
    assert names >= PICTURES


# Rule: without a test nothing looks at the test data.
def test_untested_networks_have_no_figures_of_the_test_data(refitted: Path) -> None:
    class Shut(Loaded):
        def test_dataloader(self) -> Any:
            raise AssertionError("the test is shut")

    names, left_out = explained_foreign(image_classifier(), Shut(*digits()), refitted, tested=False)
    assert (names, left_out) == (OF_NETWORK | {"filters_1"}, {})


# Rule: whatever the user's code does, it costs figures alone; only a signal ends the process.
@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (SystemExit(3), "SystemExit: 3"),
        (MemoryError("no more"), "MemoryError: no more"),
        (RuntimeError("two\nlines"), "RuntimeError: two lines"),
    ],
)
def test_what_the_users_code_raises_costs_figures_alone(
    refitted: Path, failure: BaseException, reason: str
) -> None:
    class Broken(Loaded):
        def test_dataloader(self) -> Any:
            raise failure

    names, left_out = explained_foreign(image_classifier(), Broken(*digits()), refitted)
    assert names == OF_NETWORK | {"filters_1"}
    assert left_out == {"test_samples": reason}


def test_a_signal_ends_the_process_behind_figures_too(refitted: Path) -> None:
    class Ended(Loaded):
        def test_dataloader(self) -> Any:
            raise pl.utilities.exceptions.SIGTERMException

    with pytest.raises(pl.utilities.exceptions.SIGTERMException):
        explained_foreign(image_classifier(), Ended(*digits()), refitted)


def test_what_the_data_tell_may_fail(refitted: Path) -> None:
    class Unready(Loaded):
        @property
        def noise_variance(self) -> float:
            raise RuntimeError("setup comes first")

    names, left_out = explained_foreign(image_classifier(), Unready(*digits()), refitted)
    assert names >= OF_CLASSES | PICTURES
    curves = dict.fromkeys(("learning_curves", "learning_curves_holdout"), "setup comes first")
    assert left_out == {name: f"RuntimeError: {reason}" for name, reason in curves.items()}


# Rule: also what fails between two figures, while they are chosen, costs figures alone.
def test_a_choice_of_figures_may_fail(final_dir: Path) -> None:
    class Unready(Regressor):
        @property
        def last_hidden(self) -> str:
            raise RuntimeError("built later")

    data = Rows(1)
    data.setup("test")
    drawn = explain(Unready(1), data, final_dir, [])
    assert drawn.left_out == {"figures": "RuntimeError: built later"}
    assert "learning_curves" in {path.stem for path in drawn.paths}


# Rule: figures leave random state, modes and gradients as they were, also with a loader that draws.
def test_figures_leave_everything_as_it_was(refitted: Path) -> None:
    module = image_classifier().train()
    data = Loaded(*digits(), shuffle=True)
    before = torch.get_rng_state()
    names, _ = explained_foreign(module, data, refitted)
    assert names >= OF_CLASSES
    assert torch.equal(torch.get_rng_state(), before)
    assert all(m.training for m in module.modules())
    assert all(p.grad is None and p.requires_grad for p in module.parameters())
    assert not any(len(m._forward_hooks) for m in module.modules())
