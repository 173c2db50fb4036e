"""Live figures of a network in training, each chosen by name: ``callbacks=[grad_cam,filters]``.

What they show is computed in :mod:`lightning_hpo.explain` and drawn in
:mod:`lightning_hpo.plots`; here is only which samples and which layers. The samples are those of
the validation split, or of the training split where nothing validates; never test data.

Shapes: N samples, C channels, H x W pixels, K classes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import torch
from matplotlib.figure import Figure
from torch import Tensor

from lightning_hpo import plots
from lightning_hpo.callbacks.figures import FigureCallback, epochs_trained, tensorboards
from lightning_hpo.callbacks.reporting import callbacks_of
from lightning_hpo.callbacks.samples import Labelled, data_of, labelled
from lightning_hpo.data import told
from lightning_hpo.data.base import TensorDataModule
from lightning_hpo.errors import UserError
from lightning_hpo.explain.attribution import (
    METHODS,
    AttributionMethod,
    conv_layers,
    find_layer,
    grad_cam_maps,
    grad_cam_place,
    last_conv,
    layer_feature_maps,
)
from lightning_hpo.explain.classification import (
    as_logits,
    confusion_counts,
    maps_of_true,
    mistakes_panel,
    one_of_each_class,
    require_labels,
    sample_title,
)
from lightning_hpo.explain.mistakes import confident_mistakes, confused_pairs
from lightning_hpo.explain.weights import filter_figures, layer_weights
from lightning_hpo.flavour import pl
from lightning_hpo.models.base import as_evaluated

# Activations of more samples leave a CPU's cache, and a pass takes 1.6 times as long.
_CHUNK = 250


class Attribution(FigureCallback):
    """The maps of an attribution method for one sample of each class, of the predicted class.

    Where a sample was taken for another class, the map of its true one stands below. A subclass
    declares its ``method``, and overrides ``maps`` and ``titled`` where that has own options.

    Args:
        target: a class to explain in place of the predicted one, from 0; None: that one.
        n_samples: how many are drawn, at least 1 and up to about eight.
        every_n_epochs: as in ``FigureCallback``.
        at_end: as in ``FigureCallback``.
    """

    method: ClassVar[AttributionMethod]

    def __init__(
        self,
        *,
        target: int | None = None,
        n_samples: int = 6,
        every_n_epochs: int | None = 10,
        at_end: bool = True,
    ) -> None:
        super().__init__(every_n_epochs=every_n_epochs, at_end=at_end)
        self.target = target
        self.n_samples = n_samples

    def maps(
        self, pl_module: pl.LightningModule, inputs: Tensor, target: int | Tensor | None
    ) -> Tensor:
        """(N, H, W), as large as the inputs; ``target`` as in the method."""
        return self.method.maps(pl_module, inputs, target)

    def titled(self, title: str, pl_module: pl.LightningModule, inputs: Tensor) -> str:
        """``title``, and in a second line where the method looks."""
        return self.method.titled(title, pl_module, inputs)

    def check(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if isinstance(data_of(trainer), TensorDataModule):
            # Shapes and target, before the first epoch rather than behind it.
            self.maps(pl_module, labelled(trainer, pl_module, n=1).inputs, self.target)

    def figures(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> dict[str, Figure]:
        shown = labelled(trainer, pl_module)
        shown = shown.at(one_of_each_class(shown.labels_n, n_samples=self.n_samples))
        logits_nk = logits(pl_module, shown.inputs)
        names = told.class_names(data_of(trainer), logits_nk.shape[1])
        predicted_n = logits_nk.argmax(1)
        pairs = zip(shown.labels_n.tolist(), predicted_n.tolist(), strict=True)
        title = f"{self._explained(names)}, after {epochs_trained(trainer)}"
        figure = plots.attribution_panel(
            shown.images,
            self.maps(pl_module, shown.inputs, predicted_n if self.target is None else self.target),
            [sample_title(names[true], names[taken]) for true, taken in pairs],
            method=self.method.title,
            signed=self.method.signed,
            title=self.titled(title, pl_module, shown.inputs),
            of_true=self._of_true(pl_module, shown, predicted_n),
        )
        return {self.method.name: figure}

    def _of_true(
        self, pl_module: pl.LightningModule, shown: Labelled, predicted_n: Tensor
    ) -> dict[int, Tensor]:
        if self.target is not None:
            return {}
        maps = partial(self.maps, pl_module)
        return maps_of_true(maps, shown.inputs, predicted_n, shown.labels_n)

    def _explained(self, names: Sequence[str]) -> str:
        of = "the predicted class" if self.target is None else names[self.target]
        return f"{self.method.title}: {self.method.evidence} {of}"


class GradCam(Attribution):
    """Grad-CAM of one sample of each class, for the predicted class.

    The method is :func:`lightning_hpo.grad_cam`'s (Selvaraju et al. 2017, arXiv:1610.02391).

    Args:
        layer: dotted name, whose own output is taken; None: the activation behind the convolution
            that runs last with more than one pixel.
        target: as in ``Attribution``.
        n_samples: as in ``Attribution``.
        every_n_epochs: as in ``FigureCallback``.
        at_end: as in ``FigureCallback``.
    """

    method = METHODS["grad_cam"]

    def __init__(
        self,
        *,
        layer: str | None = None,
        target: int | None = None,
        n_samples: int = 6,
        every_n_epochs: int | None = 10,
        at_end: bool = True,
    ) -> None:
        super().__init__(
            target=target, n_samples=n_samples, every_n_epochs=every_n_epochs, at_end=at_end
        )
        self.layer = layer

    def maps(
        self, pl_module: pl.LightningModule, inputs: Tensor, target: int | Tensor | None
    ) -> Tensor:
        return grad_cam_maps(pl_module, inputs, target, layer=self.layer)

    def titled(self, title: str, pl_module: pl.LightningModule, inputs: Tensor) -> str:
        place = grad_cam_place(pl_module, inputs, layer=self.layer)
        return f"{title}\n{self.method.title} {place}"

    def check(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        find_layer(pl_module, self.layer or last_conv(pl_module)[0])
        super().check(trainer, pl_module)


class IntegratedGradients(Attribution):
    """Integrated gradients of one sample of each class, for the predicted class.

    The method is that of Sundararajan et al. 2017, arXiv:1703.01365.
    """

    method = METHODS["integrated_gradients"]


class Filters(FigureCallback):
    """The filters of each convolutional layer."""

    def check(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not conv_layers(pl_module):
            raise UserError(
                f"filters are those of convolutional layers, and {type(pl_module).__name__} has"
                " none; leave filters out of callbacks."
            )

    def figures(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> dict[str, Figure]:
        return filter_figures(pl_module, f", after {epochs_trained(trainer)}")


class FeatureMaps(FigureCallback):
    """What each layer makes of one sample.

    Args:
        sample: which of the validation samples, from 0.
        layers: dotted names; None: every convolutional layer.
        every_n_epochs: as in ``FigureCallback``.
        at_end: as in ``FigureCallback``.
    """

    def __init__(
        self,
        *,
        sample: int = 0,
        layers: Sequence[str] | None = None,
        every_n_epochs: int | None = 10,
        at_end: bool = True,
    ) -> None:
        super().__init__(every_n_epochs=every_n_epochs, at_end=at_end)
        self.sample = sample
        self.layers = None if layers is None else list(layers)

    def check(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        for layer in self.layers or [last_conv(pl_module)[0]]:
            find_layer(pl_module, layer)
        if isinstance(data_of(trainer), TensorDataModule):
            # Shapes and number, before the first epoch rather than behind it.
            self._figure(trainer, pl_module)

    def figures(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> dict[str, Figure]:
        return {"feature_maps": self._figure(trainer, pl_module)}

    def _figure(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> Figure:
        shown = labelled(trainer, pl_module)
        if not 0 <= self.sample < len(shown.labels_n):
            raise UserError(
                f"feature_maps.sample must lie in [0, {len(shown.labels_n) - 1}],"
                f" got sample={self.sample}."
            )
        shown = shown.at(torch.tensor([self.sample]))
        maps = layer_feature_maps(pl_module, shown.inputs, self.layers)
        title = f"What each layer makes of one sample, after {epochs_trained(trainer)}"
        of_sample = {name: values[0] for name, values in maps.items()}
        return plots.feature_maps(shown.images[0], of_sample, title=title)


class WeightHistograms(FigureCallback):
    """TensorBoard histograms of each layer's weights; at the end a figure, before and after."""

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        super().on_fit_start(trainer, pl_module)
        self.before = layer_weights(pl_module)
        self._attempt(trainer, lambda: self._add_histograms(trainer, self.before))

    def at_epoch(self, trainer: pl.Trainer, pl_module: pl.LightningModule, epochs: int) -> None:
        self._add_histograms(trainer, layer_weights(pl_module))

    def figures(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> dict[str, Figure]:
        after = layer_weights(pl_module)
        self._add_histograms(trainer, after)
        # Lazy layers have weights only after the first batch.
        before = {name: self.before[name] for name in after if name in self.before}
        after = {name: after[name] for name in before}
        title = f"Weights before training and after {epochs_trained(trainer)}"
        return {"weight_histograms": plots.weight_histograms(before, after, title=title)}

    def _add_histograms(self, trainer: pl.Trainer, weights: dict[str, Tensor]) -> None:
        for writer in tensorboards(trainer):
            for name, weight in weights.items():
                writer.add_histogram(f"weights/{name}", weight.float(), trainer.global_step)


@dataclass(frozen=True)
class Classified:
    """Samples and what the network makes of them: logits (N, K), on the CPU."""

    shown: Labelled
    logits_nk: Tensor


class OfClassified(FigureCallback):
    """Draws from the logits of all samples; several such callbacks share one pass over them.

    The first of them in the trainer keeps the pass from the end of an epoch to the start of the
    next. The end of the training has a pass of its own, since averaged weights come in there.
    """

    _kept: Classified | None = None

    def check(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if isinstance(data_of(trainer), TensorDataModule):
            labelled(trainer, pl_module, n=1)

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._kept = None
        super().on_fit_start(trainer, pl_module)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._kept = None

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._kept = None
        super().on_train_end(trainer, pl_module)

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._kept = None

    def classified(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> Classified:
        """The samples at this moment; the network must be in eval mode."""
        keeper = next(c for c in callbacks_of(trainer) if isinstance(c, OfClassified))
        if keeper._kept is None:
            shown = labelled(trainer, pl_module)
            keeper._kept = Classified(shown, logits(pl_module, shown.inputs))
        return keeper._kept


class ConfusionMatrix(OfClassified):
    """Confusion matrix of the validation split, with the accuracy of each class."""

    def figures(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> dict[str, Figure]:
        samples = self.classified(trainer, pl_module)
        counts, names = _counted(trainer, samples)
        title = f"{samples.shown.split.capitalize()} after {epochs_trained(trainer)}"
        return {"confusion_matrix": plots.confusion_matrix(counts, names, title=title)}


class Mistakes(OfClassified):
    """The most confused pairs of classes; the most confident mistakes, with their Grad-CAM.

    The second figure needs a convolutional layer, and is left out for a network without one.

    Args:
        n_pairs: pairs of classes, the most frequent first, at least 1.
        n_samples: mistakes that are shown, the most confident first, at least 1.
        every_n_epochs: as in ``FigureCallback``.
        at_end: as in ``FigureCallback``.
    """

    def __init__(
        self,
        *,
        n_pairs: int = 8,
        n_samples: int = 6,
        every_n_epochs: int | None = 10,
        at_end: bool = True,
    ) -> None:
        super().__init__(every_n_epochs=every_n_epochs, at_end=at_end)
        self.n_pairs = n_pairs
        self.n_samples = n_samples

    def figures(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> dict[str, Figure]:
        samples = self.classified(trainer, pl_module)
        shown, logits_nk = samples.shown, samples.logits_nk
        counts, names = _counted(trainer, samples)
        pairs = confused_pairs(counts, n=self.n_pairs)
        when = f"{shown.split} after {epochs_trained(trainer)}"
        figure = plots.confused_pairs(pairs, names, title=f"Most confused classes, {when}")
        chosen, _ = confident_mistakes(logits_nk, shown.labels_n, n=self.n_samples)
        if not len(chosen) or not conv_layers(pl_module):
            return {"confused_pairs": figure}
        wrong, title = shown.at(chosen), f"Most confident mistakes, {when}"
        of_chosen = (wrong.images, wrong.inputs, logits_nk[chosen], wrong.labels_n)
        return {
            "confused_pairs": figure,
            "mistakes": mistakes_panel(pl_module, *of_chosen, names=names, title=title),
        }


def logits(pl_module: pl.LightningModule, inputs: Tensor) -> Tensor:
    """(N, K) float32 on the CPU, in chunks; the network must be in eval mode."""
    outputs = as_evaluated(pl_module)
    with torch.no_grad():
        found = torch.cat([outputs(chunk) for chunk in inputs.split(_CHUNK)]).float().cpu()
    if found.ndim != 2:
        raise UserError(
            f"figures of a classifier need outputs (N, K), got shape {tuple(found.shape)}."
        )
    return as_logits(found)


def _counted(trainer: pl.Trainer, samples: Classified) -> tuple[Tensor, Sequence[str]]:
    """Counts (K, K) of true by predicted classes, and the names of the classes."""
    k = samples.logits_nk.shape[1]
    require_labels(samples.shown.labels_n, n_classes=k)
    predicted_n = samples.logits_nk.argmax(1)
    counts = confusion_counts(predicted_n, samples.shown.labels_n, n_classes=k)
    return counts, told.class_names(data_of(trainer), k)
