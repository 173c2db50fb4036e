"""Figures of a classifier: where it errs, what it looks at, what augmentation makes of images."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from lightning_hpo import plots
from lightning_hpo.data import told
from lightning_hpo.data.augment import BatchAugment
from lightning_hpo.data.base import TensorDataModule
from lightning_hpo.errors import UserError
from lightning_hpo.explain.attempts import Attempt
from lightning_hpo.explain.attribution import (
    METHODS,
    AttributionMethod,
    as_input,
    conv_layers,
    evaluating,
    grad_cam_maps,
    layer_feature_maps,
)
from lightning_hpo.explain.mistakes import confident_mistakes, confused_pairs
from lightning_hpo.flavour import pl
from lightning_hpo.models.base import as_evaluated

_N_SAMPLES = 6
_N_VERSIONS = 5  # of each augmented image


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
class Classified:
    """A classifier and what it makes of the test data, of several loaders of the first.

    methods: attribution methods to draw beside Grad-CAM, which all networks with convolutions get.
    """

    module: pl.LightningModule
    data: Any
    methods: Sequence[AttributionMethod] = ()

    def attempts(self) -> Iterator[Attempt]:
        yield "confusion_matrix", self._confusion_matrix
        yield "confused_pairs", self._confused_pairs
        for method in dict.fromkeys((METHODS["grad_cam"], *self.methods)):
            if method.applies_to(self.module):
                yield method.name, partial(self._attribution, method)
        if conv_layers(self.module):
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
        return told.class_names(self.data, self.n_classes)

    @property
    def n_classes(self) -> int:
        return told.num_classes(self.data)

    @cached_property
    def counts(self) -> Tensor:
        logits_nk, labels_n = self.of_test
        return confusion_counts(logits_nk.argmax(1), labels_n, n_classes=self.n_classes)

    def _confusion_matrix(self) -> dict[str, Figure]:
        figure = plots.confusion_matrix(self.counts, self.names, title="Test set")
        return {"confusion_matrix": figure}

    def _confused_pairs(self) -> dict[str, Figure]:
        title = "Most confused classes, test set"
        pairs = confused_pairs(self.counts)
        return {"confused_pairs": plots.confused_pairs(pairs, self.names, title=title)}

    def _attribution(self, method: AttributionMethod) -> dict[str, Figure]:
        """Of one test image of each class."""
        logits_nk, labels_n = self.of_test
        chosen = one_of_each_class(labels_n, n_samples=_N_SAMPLES)
        raw_nchw, images_nchw = self._images(chosen)
        maps_nhw = method.maps(self.module, images_nchw)
        pairs = zip(labels_n[chosen].tolist(), logits_nk[chosen].argmax(1).tolist(), strict=True)
        titles = [sample_title(self.names[true], self.names[taken]) for true, taken in pairs]
        figure = plots.attribution_panel(
            raw_nchw / 255,
            maps_nhw,
            titles,
            method=method.title,
            signed=method.signed,
            title=f"{method.title}: where the {method.evidence} the class lies",
        )
        return {method.name: figure}

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
    maps_nhw = grad_cam_maps(module, inputs_nchw)
    triples = zip(labels_n.tolist(), predicted_n.tolist(), confidence_n.tolist(), strict=True)
    titles = [f"{names[t]}, taken for {names[p]} ({share:.1%})" for t, p, share in triples]
    return plots.grad_cam_panel(images_nchw, maps_nhw, titles, title=title)


def augmented_samples(data: Any) -> dict[str, Figure]:
    """Training images of several classes and what augmentation makes of them; none without it."""
    # Another's data may have an augmentation too, but no samples as they are stored.
    if not isinstance(data, TensorDataModule) or not isinstance(data.augment, BatchAugment):
        return {}
    raw_nchw, labels_n = data.raw("train")
    x_nchw = data.normalised(raw_nchw[one_of_each_class(labels_n, n_samples=_N_SAMPLES)])
    generator = torch.Generator(x_nchw.device).manual_seed(0)
    versions = [data.augment(x_nchw, generator) for _ in range(_N_VERSIONS)]
    figure = plots.augmented_samples(x_nchw, torch.stack(versions, 1))
    return {"augmented_samples": figure}


def sample_title(true: str, predicted: str) -> str:
    """A sample's title: its class, and what it was taken for where that differs."""
    return true if true == predicted else f"{true}, taken for {predicted}"
