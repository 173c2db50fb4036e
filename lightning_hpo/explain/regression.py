"""What a regressor has learnt, as figures: its curve, its errors, its last hidden layer."""

from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from lightning_hpo import plots
from lightning_hpo.data import told
from lightning_hpo.data.base import TensorDataModule
from lightning_hpo.errors import UserError
from lightning_hpo.explain.attribution import as_input, feature_maps
from lightning_hpo.explain.predictions import grid_over, load_predictions, predict, true_line
from lightning_hpo.explain.seen import Seen, seen_in
from lightning_hpo.flavour import pl
from lightning_hpo.models.regression import NamesLastHidden
from lightning_hpo.plots.regression import Line, Samples
from lightning_hpo.protocol.folder import FinalFolder

_MOST_SAMPLES = 10_000  # of each stage, of data that are no resident tensors
_ACTIVATIONS = "torch.nn.modules.activation"


def regression_figures(
    module: pl.LightningModule, data: TensorDataModule, final_dir: Path
) -> dict[str, Callable[[], Figure]]:
    """What draws each figure; a curve over the input only where there is one input."""
    predicted = cache(lambda: _predicted(module, data))
    figures = _of_errors(predicted, told.target_name(data))
    if data.input_shape == (1,):
        figures["fit"] = lambda: _fit(module, data, final_dir)
    layer = last_hidden(module)
    if layer is not None:
        figures["activations"] = lambda: _activations(module, data, layer)
    return figures


def foreign_figures(
    module: nn.Module, data: pl.LightningDataModule, of_test: Iterable[Seen]
) -> dict[str, Callable[[], Figure]]:
    """What draws each figure of any other data, of their first samples; ``of_test``: the batches.

    Training samples are those that the training loader gives, augmented if it augments.
    """
    test = values_of(of_test)
    train = cache(lambda: values_of(seen_in(module, data, data.train_dataloader())))
    return _of_errors(lambda: (train(), test), told.target_name(data))


def values_of(batches: Iterable[Seen]) -> Samples:
    """True and predicted values, each (N,), of the first samples."""
    true, predicted, n = [], [], 0
    for seen in batches:
        if seen.task != "numbers":
            raise UserError("one batch has real numbers, and another one class labels.")
        true.append(seen.targets.float().reshape(-1))
        predicted.append(seen.outputs.reshape(-1))
        n += len(true[-1])
        if n >= _MOST_SAMPLES:
            break
    samples = Samples(torch.cat(true)[:_MOST_SAMPLES], torch.cat(predicted)[:_MOST_SAMPLES])
    if set(torch.cat(true).unique().tolist()) <= {0.0, 1.0}:
        raise UserError(
            "all targets are 0 or 1: that may be two classes of one logit, of which there are no"
            " figures; integer labels and two outputs have them."
        )
    return samples


def _of_errors(
    predicted: Callable[[], tuple[Samples, Samples]], target_name: str
) -> dict[str, Callable[[], Figure]]:
    """``predicted``: true and predicted values of the training and of the test samples."""

    def against_true() -> Figure:
        train, test = predicted()
        return plots.predicted_against_true(train=train, test=test, target_name=target_name)

    def residuals() -> Figure:
        train, test = predicted()
        return plots.residuals(train=train, test=test, target_name=target_name)

    return {"predicted_against_true": against_true, "residuals": residuals}


def last_hidden(module: nn.Module) -> str | None:
    """The dotted name of the last hidden layer: what the module says, else its last activation."""
    # Another one's attribute of this name may be the layer itself.
    if isinstance(module, NamesLastHidden) and isinstance(module.last_hidden, str):
        return module.last_hidden
    found = [name for name, m in module.named_modules() if type(m).__module__ == _ACTIVATIONS]
    return found[-1] if found else None


def _predicted(module: pl.LightningModule, data: TensorDataModule) -> tuple[Samples, Samples]:
    """True and predicted values of the training and of the test samples."""
    (train_x, train_y), (test_x, test_y) = data.raw("train"), data.raw("test")
    return (
        Samples(train_y, predict(module, data, train_x)),
        Samples(test_y, predict(module, data, test_x)),
    )


def _fit(module: pl.LightningModule, data: TensorDataModule, final_dir: Path) -> Figure:
    (train_x, train_y), (test_x, test_y) = data.raw("train"), data.raw("test")
    grid_g1 = grid_over(train_x, test_x)
    x_g = grid_g1[:, 0].numpy()
    return plots.fitted_curve(
        Line(x_g, predict(module, data, grid_g1)),
        train=Samples(train_x[:, 0], train_y),
        test=Samples(test_x[:, 0], test_y),
        true=true_line(data, x_g),
        folds=_fold_lines(final_dir),
        holdout=_holdout_line(final_dir),
        names=told.names(data),
    )


def _fold_lines(final_dir: Path) -> Line | None:
    paths = [fold.predictions for fold in FinalFolder(final_dir).folds()]
    found = [load_predictions(path) for path in paths if path.is_file()]
    return Line(found[0][0], np.stack([y for _, y in found])) if found else None


def _holdout_line(final_dir: Path) -> Line | None:
    path = FinalFolder(final_dir).holdout.predictions
    return Line(*load_predictions(path)) if path.is_file() else None


def _activations(module: pl.LightningModule, data: TensorDataModule, layer: str) -> Figure:
    """Over the input; of several inputs, over the training samples by what is predicted of them."""
    train_x, _ = data.raw("train")
    input_name, target_name = told.names(data)
    if data.input_shape == (1,):
        x_ni = grid_over(train_x)
        axis = x_ni[:, 0]
    else:
        x_ni = train_x[predict(module, data, train_x).argsort().to(train_x.device)]
        axis = torch.arange(1, len(x_ni) + 1)
        input_name = "training samples, by their prediction"
    return plots.hidden_activations(
        axis,
        _layer_outputs(module, data, layer, x_ni),
        predicted=predict(module, data, x_ni),
        names=(input_name, target_name),
        title=f"Last hidden layer, {layer}",
    )


def _layer_outputs(
    module: pl.LightningModule, data: TensorDataModule, layer: str, x_ni: Tensor
) -> Tensor:
    """(N, L) on the CPU."""
    inputs_ni = as_input(module, data.normalised(x_ni))
    return feature_maps(module, layer, inputs_ni).flatten(1).cpu()
