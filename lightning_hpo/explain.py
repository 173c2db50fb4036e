"""What the final model sees and where it errs, as figures in ``final/figures`` and TensorBoard.

Here results become arguments of the pure functions in :mod:`lightning_hpo.plots` and
:mod:`lightning_hpo.attribution`; works for any classifier that maps images to logits, and any
regressor that maps rows to numbers (:mod:`lightning_hpo.explain_regression`).
"""

import csv
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from matplotlib.figure import Figure
from pytorch_lightning.loggers import Logger, TensorBoardLogger
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from lightning_hpo import plots
from lightning_hpo.attribution import (
    conv_layers,
    evaluating,
    grad_cam,
    last_conv,
    layer_feature_maps,
)
from lightning_hpo.data.augment import BatchAugment
from lightning_hpo.explain_regression import regression_figures
from lightning_hpo.mistakes import confident_mistakes, confused_pairs
from lightning_hpo.models.base import as_evaluated
from lightning_hpo.predictions import is_regression

_N_SAMPLES = 6
_N_VERSIONS = 5  # of each augmented image


def explain(
    module: pl.LightningModule,
    data: pl.LightningDataModule,
    final_dir: Path,
    loggers: Iterable[Logger],
    *,
    untrained: Mapping[str, Tensor] | None = None,
) -> list[Path]:
    """Draw every figure that applies to this model and these data; the files.

    ``untrained``: the ``layer_weights`` of the module before its training.
    """
    figures = _learning_curves(final_dir, noise_floor=getattr(data, "noise_variance", None))
    if getattr(data, "num_classes", 0):
        logits_nk, labels_n = predictions(module, data.test_dataloader())
        figures |= _classification(module, data, logits_nk, labels_n)
        figures |= augmented_samples(data)
    if is_regression(data):
        figures |= regression_figures(module, data, final_dir)
    figures |= filter_figures(module)
    if untrained:
        figures |= {"weight_histograms": plots.weight_histograms(untrained, layer_weights(module))}
    folder = final_dir / "figures"
    folder.mkdir(exist_ok=True)
    paths = [plots.save_png(figure, folder / f"{name}.png") for name, figure in figures.items()]
    for logger in loggers:
        if isinstance(logger, TensorBoardLogger):
            for name, figure in figures.items():
                logger.experiment.add_figure(name, figure, close=False)
    return paths


def predictions(module: nn.Module, batches: Iterable[Sequence[Tensor]]) -> tuple[Tensor, Tensor]:
    """Logits (N, K) as they are evaluated and labels (N,) of all batches, on the CPU."""
    device = next(module.parameters()).device
    outputs = as_evaluated(module)
    with torch.no_grad(), evaluating(module):
        pairs = [(outputs(x.to(device)).cpu(), y.cpu()) for x, y in batches]
    logits, labels = zip(*pairs, strict=True)
    return torch.cat(logits), torch.cat(labels)


def confusion_counts(predicted_n: Tensor, labels_n: Tensor, *, n_classes: int) -> Tensor:
    """(K, K) int64: how often true class i was predicted as j."""
    cells = torch.bincount(labels_n * n_classes + predicted_n, minlength=n_classes**2)
    return cells.reshape(n_classes, n_classes)


def one_of_each_class(labels_n: Tensor, *, n_samples: int) -> Tensor:
    """Indices of the first sample of each of the first ``n_samples`` classes."""
    classes = labels_n.unique()[:n_samples]
    return torch.stack([(labels_n == c).nonzero()[0, 0] for c in classes])


def _classification(
    module: pl.LightningModule, data: Any, logits_nk: Tensor, labels_n: Tensor
) -> dict[str, Figure]:
    names = data.classes or tuple(str(k) for k in range(data.num_classes))
    counts = confusion_counts(logits_nk.argmax(1), labels_n, n_classes=data.num_classes)
    figures = {"confusion_matrix": plots.confusion_matrix(counts, names, title="Test set")}
    pairs = confused_pairs(counts)
    title = "Most confused classes, test set"
    figures["confused_pairs"] = plots.confused_pairs(pairs, names, title=title)
    if any(isinstance(m, nn.Conv2d) for m in module.modules()):
        figures["grad_cam"] = _grad_cam(module, data, logits_nk, labels_n, names)
        figures |= _mistakes(module, data, logits_nk, labels_n, names)
        figures["feature_maps"] = _feature_maps(module, data)
    return figures


def _mistakes(
    module: pl.LightningModule,
    data: Any,
    logits_nk: Tensor,
    labels_n: Tensor,
    names: Sequence[str],
) -> dict[str, Figure]:
    chosen, _ = confident_mistakes(logits_nk, labels_n, n=_N_SAMPLES)
    if not len(chosen):
        return {}
    raw_nchw, inputs_nchw = _test_images(module, data, chosen)
    of_chosen = (logits_nk[chosen], labels_n[chosen], names)
    title = "Most confident mistakes, test set"
    return {"mistakes": mistakes_panel(module, raw_nchw, inputs_nchw, *of_chosen, title=title)}


def mistakes_panel(
    module: nn.Module,
    images_nchw: Tensor,
    inputs_nchw: Tensor,
    logits_nk: Tensor,
    labels_n: Tensor,
    names: Sequence[str],
    *,
    title: str,
) -> Figure:
    """Samples that were taken for another class, with the probability of that and its Grad-CAM.

    images: to be shown; inputs: as the network takes them.
    """
    confidence_n, predicted_n = logits_nk.softmax(dim=1).max(dim=1)
    size = (inputs_nchw.shape[-2], inputs_nchw.shape[-1])
    layer, _ = last_conv(module)
    maps_nhw = grad_cam(module, layer, inputs_nchw, positive_activations=True, size=size)
    triples = zip(labels_n.tolist(), predicted_n.tolist(), confidence_n.tolist(), strict=True)
    titles = [f"{names[t]}, taken for {names[p]} ({share:.1%})" for t, p, share in triples]
    return plots.grad_cam_panel(images_nchw, maps_nhw, titles, title=title)


def _feature_maps(module: pl.LightningModule, data: Any) -> Figure:
    """Of the first test image."""
    raw_nchw, inputs_nchw = _test_images(module, data, torch.tensor([0]))
    maps = layer_feature_maps(module, inputs_nchw)
    return plots.feature_maps(raw_nchw[0], {name: values[0] for name, values in maps.items()})


def _test_images(module: pl.LightningModule, data: Any, chosen_n: Tensor) -> tuple[Tensor, Tensor]:
    """Some test images as stored, on the CPU, and as the network takes them, where it is."""
    raw_nchw = data.raw("test")[0]
    raw_nchw = raw_nchw[chosen_n.to(raw_nchw.device)]
    inputs_nchw = data.normalised(raw_nchw).to(next(module.parameters()).device)
    return raw_nchw.cpu(), inputs_nchw


def augmented_samples(data: Any) -> dict[str, Figure]:
    """Training images of several classes and what augmentation makes of them; none without it."""
    augment = getattr(data, "augment", None)
    if not isinstance(augment, BatchAugment):
        return {}
    raw_nchw, labels_n = data.raw("train")
    x_nchw = data.normalised(raw_nchw[one_of_each_class(labels_n, n_samples=_N_SAMPLES)])
    generator = torch.Generator(x_nchw.device).manual_seed(0)
    versions = [augment(x_nchw, generator) for _ in range(_N_VERSIONS)]
    figure = plots.augmented_samples(x_nchw, torch.stack(versions, 1))
    return {"augmented_samples": figure}


def _grad_cam(
    module: pl.LightningModule,
    data: Any,
    logits_nk: Tensor,
    labels_n: Tensor,
    names: Sequence[str],
) -> Figure:
    chosen = one_of_each_class(labels_n, n_samples=_N_SAMPLES)
    raw_nchw, images_nchw = _test_images(module, data, chosen)
    layer, _ = last_conv(module)
    size = (images_nchw.shape[-2], images_nchw.shape[-1])
    maps_nhw = grad_cam(module, layer, images_nchw, positive_activations=True, size=size)
    titles = [verdict(names[int(labels_n[i])], names[int(logits_nk[i].argmax())]) for i in chosen]
    return plots.grad_cam_panel(raw_nchw / 255, maps_nhw.cpu(), titles)


def verdict(true: str, predicted: str) -> str:
    """A sample's title: its class, and what it was taken for where that differs."""
    return true if true == predicted else f"{true}, taken for {predicted}"


def filter_figures(module: nn.Module, when: str = "") -> dict[str, Figure]:
    """The filters of each convolution; ``when`` ends the titles."""
    return {
        f"filters_{i}": plots.filters(
            layer.weight.detach().cpu(), title=f"Convolution {i}: {name}{when}"
        )
        for i, (name, layer) in enumerate(conv_layers(module), start=1)
    }


def layer_weights(module: nn.Module) -> dict[str, Tensor]:
    """A copy on the CPU of every layer's weight matrix or kernel, by the layer's dotted name."""
    weights = {name: getattr(layer, "weight", None) for name, layer in module.named_modules()}
    return {
        name: weight.detach().cpu().clone()
        for name, weight in weights.items()
        if isinstance(weight, nn.Parameter) and not is_lazy(weight) and weight.ndim > 1
    }


def _learning_curves(final_dir: Path, *, noise_floor: float | None) -> dict[str, Figure]:
    """Every metric that was logged by epoch in training or validation; none when none was."""
    folders = sorted(final_dir.glob("fold_*"))
    folds = [_curves(folder) for folder in folders]
    refit = _curves(final_dir / "refit")
    keys = sorted({key for fold in (*folds, refit) for key in fold})
    if not keys:
        return {}
    best_epochs = [_result(folder)["best_epoch"] for folder in folders]
    figure = plots.learning_curves(
        {key: [f[key] for f in folds if key in f] for key in keys},
        refit={key: refit[key] for key in keys if key in refit},
        best_epochs=best_epochs or None,
        noise_floor=noise_floor,
    )
    longest = _holdout_curves(final_dir, refit, noise_floor=noise_floor)
    return {"learning_curves": figure, **longest}


def _holdout_curves(
    final_dir: Path, refit: Mapping[str, Sequence[float]], *, noise_floor: float | None
) -> dict[str, Figure]:
    """The fit without early stopping, where it was done, with the epochs of the refit marked."""
    folder = final_dir / "holdout"
    if not folder.is_dir():
        return {}
    found = _result(folder)
    figure = plots.learning_curves(
        {key: [values] for key, values in _curves(folder).items()},
        best_epochs=[found["best_epoch"]],
        noise_floor=noise_floor,
        stop_epochs=max(map(len, refit.values()), default=None),
        title=f"Best parameters on {100 * (1 - found['val_fraction']):.0f} % of the training data,"
        " no early stopping",
    )
    return {"learning_curves_holdout": figure}


def _result(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "result.json").read_text())
    return found


def _curves(folder: Path) -> dict[str, list[float]]:
    curves = read_curves(folder / "metrics.csv")
    return {key: curves[key] for key in sorted(curves) if _is_curve(key)}


def _is_curve(key: str) -> bool:
    return key.startswith(("train/", "val/"))


_NOT_METRICS = ("epoch", "step")


def read_curves(path: Path) -> dict[str, list[float]]:
    """``metrics.csv`` as one value per epoch for each metric, NaN where none was logged.

    Rows without an epoch, such as those of Lightning's LearningRateMonitor, are left out.
    """
    with path.open() as file:
        rows = [row for row in csv.DictReader(file) if row["epoch"]]
    n_epochs = 1 + max((int(row["epoch"]) for row in rows), default=-1)
    curves: dict[str, list[float]] = {}
    for row in rows:
        for name, text in row.items():
            if text and name not in _NOT_METRICS:
                curves.setdefault(name, [math.nan] * n_epochs)[int(row["epoch"])] = float(text)
    return curves
