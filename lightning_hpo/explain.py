"""What the final model sees and where it errs, as figures in ``final/figures`` and TensorBoard.

Here results become arguments of the pure functions in :mod:`lightning_hpo.plots` and
:mod:`lightning_hpo.attribution`; works for any classifier that maps images to logits, and any
regressor that maps rows to numbers (:mod:`lightning_hpo.explain_regression`).
"""

import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
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
    as_input,
    conv_layers,
    evaluating,
    grad_cam,
    last_conv,
    layer_feature_maps,
)
from lightning_hpo.data.augment import BatchAugment
from lightning_hpo.data.base import TensorDataModule
from lightning_hpo.errors import UserError, with_type
from lightning_hpo.explain_regression import regression_figures
from lightning_hpo.mistakes import confident_mistakes, confused_pairs
from lightning_hpo.models.base import as_evaluated
from lightning_hpo.predictions import is_regression
from lightning_hpo.protocol.metrics import read_curves
from lightning_hpo.protocol.stages import curve_keys, recorded_stages

log = logging.getLogger(__name__)

_LONGEST_REASON = 200  # characters
_N_SAMPLES = 6
_N_VERSIONS = 5  # of each augmented image


@dataclass(frozen=True)
class Drawn:
    """The files of the figures, and of those that could not be drawn the reason, by name."""

    paths: list[Path] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)


# A name, and what draws the figures that belong to it.
Attempt = tuple[str, Callable[[], Mapping[str, Figure]]]


def explain(
    module: pl.LightningModule,
    data: pl.LightningDataModule,
    final_dir: Path,
    loggers: Iterable[Logger],
    *,
    untrained: Mapping[str, Tensor] | None = None,
    tested: bool = True,
) -> Drawn:
    """Draw every figure that applies to this model and these data; one that fails is left out.

    ``untrained``: the ``layer_weights`` of the module before its training. ``tested``: whether the
    test data may be looked at.
    """
    drawn = Drawn()
    folder = final_dir / "figures"
    folder.mkdir(exist_ok=True)
    boards = [logger for logger in loggers if isinstance(logger, TensorBoardLogger)]
    for what, draw in _attempts(module, data, final_dir, untrained or {}, tested=tested):
        # Figures run the user's own network on the user's own data, and cost no result.
        try:
            for name, figure in draw().items():
                drawn.paths.append(plots.save_png(figure, folder / f"{name}.png"))
                for board in boards:
                    board.experiment.add_figure(name, figure, close=False)
        except Exception as error:
            drawn.left_out[what] = why(error)
            log.warning(f"figure {what} is left out: {drawn.left_out[what]}")
    return drawn


def why(error: Exception) -> str:
    """An error in one short line."""
    return with_type(error)[:_LONGEST_REASON]


def _attempts(
    module: pl.LightningModule,
    data: pl.LightningDataModule,
    final_dir: Path,
    untrained: Mapping[str, Tensor],
    *,
    tested: bool,
) -> Iterator[Attempt]:
    floor = getattr(data, "noise_variance", None)
    yield "learning_curves", lambda: _learning_curves(final_dir, noise_floor=floor)
    yield "learning_curves_holdout", lambda: _holdout_curves(final_dir, noise_floor=floor)
    if getattr(data, "num_classes", 0) and tested:
        yield from _Classified(module, data).attempts()
    yield "augmented_samples", lambda: augmented_samples(data)
    if is_regression(data) and tested:
        for name, draw in regression_figures(module, data, final_dir).items():
            yield name, partial(_alone, name, draw)
    yield "filters", lambda: filter_figures(module)
    yield "weight_histograms", lambda: _weight_histograms(untrained, layer_weights(module))


def _alone(name: str, draw: Callable[[], Figure]) -> dict[str, Figure]:
    return {name: draw()}


def _weight_histograms(
    before: Mapping[str, Tensor], after: Mapping[str, Tensor]
) -> dict[str, Figure]:
    # Lazy layers have weights only after the first batch.
    both = [name for name in after if name in before]
    if not both:
        return {}
    parts = ({name: weights[name] for name in both} for weights in (before, after))
    return {"weight_histograms": plots.weight_histograms(*parts)}


def predictions(module: nn.Module, batches: Iterable[Sequence[Tensor]]) -> tuple[Tensor, Tensor]:
    """Logits (N, K) as they are evaluated and labels (N,) of all batches, on the CPU."""
    outputs = as_evaluated(module)
    with torch.no_grad(), evaluating(module):
        pairs = [(outputs(as_input(module, x)).float().cpu(), y.cpu()) for x, y in batches]
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


@dataclass(frozen=True)
class _Classified:
    """A classifier and what it makes of the test data, of several loaders of the first."""

    module: pl.LightningModule
    data: Any

    def attempts(self) -> Iterator[Attempt]:
        yield "confusion_matrix", self._confusion_matrix
        yield "confused_pairs", self._confused_pairs
        if conv_layers(self.module):
            yield "grad_cam", self._grad_cam
            yield "mistakes", self._mistakes
            yield "feature_maps", self._feature_maps

    @cached_property
    def of_test(self) -> tuple[Tensor, Tensor]:
        """Logits (N, K) and labels (N,)."""
        loaders = self.data.test_dataloader()
        first = loaders[0] if isinstance(loaders, list | tuple) else loaders
        return predictions(self.module, first)

    @property
    def names(self) -> Sequence[str]:
        known: Sequence[str] | None = getattr(self.data, "classes", None)
        return known or tuple(str(k) for k in range(self.data.num_classes))

    @cached_property
    def counts(self) -> Tensor:
        logits_nk, labels_n = self.of_test
        return confusion_counts(logits_nk.argmax(1), labels_n, n_classes=self.data.num_classes)

    def _confusion_matrix(self) -> dict[str, Figure]:
        figure = plots.confusion_matrix(self.counts, self.names, title="Test set")
        return {"confusion_matrix": figure}

    def _confused_pairs(self) -> dict[str, Figure]:
        title = "Most confused classes, test set"
        pairs = confused_pairs(self.counts)
        return {"confused_pairs": plots.confused_pairs(pairs, self.names, title=title)}

    def _grad_cam(self) -> dict[str, Figure]:
        logits_nk, labels_n = self.of_test
        chosen = one_of_each_class(labels_n, n_samples=_N_SAMPLES)
        raw_nchw, images_nchw = self._images(chosen)
        layer, _ = last_conv(self.module)
        size = (images_nchw.shape[-2], images_nchw.shape[-1])
        maps_nhw = grad_cam(self.module, layer, images_nchw, positive_activations=True, size=size)
        pairs = zip(labels_n[chosen].tolist(), logits_nk[chosen].argmax(1).tolist(), strict=True)
        titles = [verdict(self.names[true], self.names[taken]) for true, taken in pairs]
        return {"grad_cam": plots.grad_cam_panel(raw_nchw / 255, maps_nhw.cpu(), titles)}

    def _mistakes(self) -> dict[str, Figure]:
        logits_nk, labels_n = self.of_test
        chosen, _ = confident_mistakes(logits_nk, labels_n, n=_N_SAMPLES)
        if not len(chosen):
            return {}
        figure = mistakes_panel(
            self.module,
            *self._images(chosen),
            logits_nk[chosen],
            labels_n[chosen],
            names=self.names,
            title="Most confident mistakes, test set",
        )
        return {"mistakes": figure}

    def _feature_maps(self) -> dict[str, Figure]:
        """Of the first test image."""
        raw_nchw, inputs_nchw = self._images(torch.tensor([0]))
        maps = layer_feature_maps(self.module, inputs_nchw)
        of_first = {name: values[0] for name, values in maps.items()}
        return {"feature_maps": plots.feature_maps(raw_nchw[0], of_first)}

    def _images(self, chosen_n: Tensor) -> tuple[Tensor, Tensor]:
        """Some test images as stored, on the CPU, and as the network takes them, where it is."""
        if not isinstance(self.data, TensorDataModule):
            raise UserError("single test images are known of a TensorDataModule alone.")
        raw_nchw = self.data.raw("test")[0]
        raw_nchw = raw_nchw[chosen_n.to(raw_nchw.device)]
        return raw_nchw.cpu(), as_input(self.module, self.data.normalised(raw_nchw))


def mistakes_panel(
    module: nn.Module,
    images_nchw: Tensor,
    inputs_nchw: Tensor,
    logits_nk: Tensor,
    labels_n: Tensor,
    *,
    names: Sequence[str],
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
    return {"learning_curves": figure}


def _holdout_curves(final_dir: Path, *, noise_floor: float | None) -> dict[str, Figure]:
    """The fit without early stopping, where it was done, with the epochs of the refit marked."""
    folder = final_dir / "holdout"
    if not folder.is_dir():
        return {}
    found, refit = _result(folder), _curves(final_dir / "refit")
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
    """``stage/quantity`` -> one value an epoch, by the stages that the fit's result records."""
    path = folder / "metrics.csv"
    if not path.is_file():
        # Nothing was logged.
        return {}
    curves = read_curves(path)
    stages = recorded_stages(_result(folder), curves)
    keys = curve_keys({name: stages[name] for name in curves if name in stages})
    return {key: curves[name] for name, key in sorted(keys.items(), key=lambda pair: pair[1])}
