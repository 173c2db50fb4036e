"""What the final model sees and where it errs, as figures in ``final/figures`` and TensorBoard.

Here results become arguments of the pure functions in :mod:`lightning_hpo.plots` and
:mod:`lightning_hpo.attribution`; works for any classifier that maps images to logits.
"""

import csv
import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from matplotlib.figure import Figure
from pytorch_lightning.loggers import Logger, TensorBoardLogger
from torch import Tensor, nn

from lightning_hpo import plots
from lightning_hpo.attribution import evaluating, grad_cam, last_conv

_N_SAMPLES = 6


def explain(
    module: pl.LightningModule,
    data: pl.LightningDataModule,
    final_dir: Path,
    loggers: Iterable[Logger],
) -> list[Path]:
    """Draw every figure that applies to this model and these data; the files."""
    figures = _learning_curves(final_dir)
    if getattr(data, "num_classes", 0):
        logits_nk, labels_n = predictions(module, data.test_dataloader())
        figures |= _classification(module, data, logits_nk, labels_n)
    figures |= _filters(module)
    folder = final_dir / "figures"
    folder.mkdir(exist_ok=True)
    paths = [plots.save_png(figure, folder / f"{name}.png") for name, figure in figures.items()]
    for logger in loggers:
        if isinstance(logger, TensorBoardLogger):
            for name, figure in figures.items():
                logger.experiment.add_figure(name, figure, close=False)
    return paths


def predictions(module: nn.Module, batches: Iterable[Sequence[Tensor]]) -> tuple[Tensor, Tensor]:
    """Logits (N, K) and labels (N,) of all batches, on the CPU."""
    device = next(module.parameters()).device
    with torch.no_grad(), evaluating(module):
        pairs = [(module(x.to(device)).cpu(), y.cpu()) for x, y in batches]
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
    if any(isinstance(m, nn.Conv2d) for m in module.modules()):
        figures["grad_cam"] = _grad_cam(module, data, logits_nk, labels_n, names)
    return figures


def _grad_cam(
    module: pl.LightningModule,
    data: Any,
    logits_nk: Tensor,
    labels_n: Tensor,
    names: Sequence[str],
) -> Figure:
    chosen = one_of_each_class(labels_n, n_samples=_N_SAMPLES)
    raw_nchw = data.raw("test")[0][chosen.to(data.raw("test")[0].device)]
    images_nchw = data.normalised(raw_nchw).to(next(module.parameters()).device)
    layer, _ = last_conv(module)
    size = tuple(images_nchw.shape[-2:])
    maps_nhw = grad_cam(module, layer, images_nchw, positive_activations=True, size=size)
    titles = [_verdict(names[int(labels_n[i])], names[int(logits_nk[i].argmax())]) for i in chosen]
    return plots.grad_cam_panel(raw_nchw.cpu() / 255, maps_nhw.cpu(), titles)


def _verdict(true: str, predicted: str) -> str:
    return true if true == predicted else f"{true}, taken for {predicted}"


def _filters(module: nn.Module) -> dict[str, Figure]:
    layers = [(name, m) for name, m in module.named_modules() if isinstance(m, nn.Conv2d)]
    return {
        f"filters_{i}": plots.filters(layer.weight.detach().cpu(), title=f"Convolution {i}: {name}")
        for i, (name, layer) in enumerate(layers, start=1)
    }


def _learning_curves(final_dir: Path) -> dict[str, Figure]:
    """Every metric that was logged by epoch in training or validation; none when none was."""
    folders = sorted(final_dir.glob("fold_*"))
    folds = [read_curves(folder / "metrics.csv") for folder in folders]
    refit = read_curves(final_dir / "refit" / "metrics.csv")
    keys = sorted({key for fold in (*folds, refit) for key in fold if _is_curve(key)})
    if not keys:
        return {}
    results = [json.loads((folder / "result.json").read_text()) for folder in folders]
    figure = plots.learning_curves(
        {key: [f[key] for f in folds if key in f] for key in keys},
        refit={key: refit[key] for key in keys if key in refit},
        best_epochs=[result["best_epoch"] for result in results] or None,
    )
    return {"learning_curves": figure}


def _is_curve(key: str) -> bool:
    return key.startswith(("train/", "val/"))


def read_curves(path: Path) -> dict[str, list[float]]:
    """``metrics.csv`` as one value per epoch for each metric, NaN where none was logged."""
    with path.open() as file:
        rows = list(csv.DictReader(file))
    n_epochs = 1 + max((int(row["epoch"]) for row in rows), default=-1)
    curves: dict[str, list[float]] = {}
    for row in rows:
        for name, text in row.items():
            if text and "/" in name:
                curves.setdefault(name, [math.nan] * n_epochs)[int(row["epoch"])] = float(text)
    return curves
