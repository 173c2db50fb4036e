"""Figures of a classifier: where it errs, what it looks at, what augmentation makes of images."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
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
    conv_layers,
    layer_feature_maps,
)
from lightning_hpo.explain.mistakes import confident_mistakes, confused_pairs
from lightning_hpo.explain.seen import Seen

_N_SAMPLES = 6
_N_VERSIONS = 5  # of each augmented image


def confusion_counts(predicted_n: Tensor, labels_n: Tensor, *, n_classes: int) -> Tensor:
    """(K, K) int64: how often true class i was predicted as j."""
    cells = torch.bincount(labels_n * n_classes + predicted_n, minlength=n_classes**2)
    return cells.reshape(n_classes, n_classes)


def one_of_each_class(labels_n: Tensor, *, n_samples: int) -> Tensor:
    """Indices of the first sample of each of the first ``n_samples`` classes."""
    classes = labels_n.unique()[:n_samples]
    return torch.stack([(labels_n == c).nonzero()[0, 0] for c in classes])


def telling(logits_nk: Tensor, labels_n: Tensor) -> Tensor:
    """Indices, in their order, of the samples that figures show.

    The first of all, the first of each of the first classes, the most confident mistakes.
    """
    wrong, _ = confident_mistakes(logits_nk, labels_n, n=_N_SAMPLES)
    of_classes = one_of_each_class(labels_n, n_samples=_N_SAMPLES)
    return torch.cat([torch.tensor([0]), of_classes, wrong]).unique()


def as_logits(outputs_nk: Tensor) -> Tensor:
    """Logits as they are; the logarithms of outputs that are probabilities already."""
    sums_n = outputs_nk.sum(dim=1)
    if bool((outputs_nk >= 0).all()) and torch.allclose(sums_n, torch.ones_like(sums_n), atol=1e-3):
        return outputs_nk.clamp_min(torch.finfo(outputs_nk.dtype).tiny).log()
    return outputs_nk


@dataclass(frozen=True)
class Predicted:
    """What a classifier makes of a data set, without the data.

    predicted_n, labels_n: of all samples; width: outputs of the network; shown: the samples that
    tell most of it, see :func:`telling`, with logits as their outputs.
    """

    predicted_n: Tensor
    labels_n: Tensor
    width: int
    shown: Seen

    @classmethod
    def of(cls, batches: Iterable[Seen]) -> "Predicted":
        """Reads ``batches`` once, at least one; :class:`UserError` for a label of no output."""
        shown: Seen | None = None
        predicted, labels = [], []
        for seen in batches:
            if seen.task != "classes":
                raise UserError("one batch has class labels, and another one real numbers.")
            logits_nk = as_logits(seen.outputs)
            require_labels(seen.targets, n_classes=logits_nk.shape[1])
            predicted.append(logits_nk.argmax(1))
            labels.append(seen.targets.long())
            seen = replace(seen, outputs=logits_nk, targets=labels[-1])
            both = seen if shown is None else shown.followed_by(seen)
            shown = both.at(telling(both.outputs, both.targets))
        assert shown is not None, "at least one batch"
        return cls(torch.cat(predicted), torch.cat(labels), shown.outputs.shape[1], shown)

    def n_classes(self, data: object) -> int:
        """As the data tell, where that covers all labels and predictions; else all outputs."""
        told_n, most = told.num_classes(data), max(self.predicted_n.max(), self.labels_n.max())
        return told_n if told_n > int(most) else self.width


def require_labels(labels_n: Tensor, *, n_classes: int) -> None:
    """Raise :class:`UserError` for a label, such as one that is to be ignored, of no output."""
    low, high = int(labels_n.min()), int(labels_n.max())
    if low < 0 or high >= n_classes:
        raise UserError(
            f"labels must lie in [0, {n_classes - 1}], the network's outputs, got {low} to {high}."
        )


@dataclass(frozen=True)
class Classified:
    """A classifier and what it makes of the test data.

    methods: attribution methods to draw beside Grad-CAM, which all networks with convolutions get.
    """

    module: nn.Module
    data: Any
    of_test: Predicted
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
    def names(self) -> Sequence[str]:
        return told.class_names(self.data, self.of_test.n_classes(self.data))

    @cached_property
    def counts(self) -> Tensor:
        of_test = self.of_test
        return confusion_counts(of_test.predicted_n, of_test.labels_n, n_classes=len(self.names))

    def _confusion_matrix(self) -> dict[str, Figure]:
        figure = plots.confusion_matrix(self.counts, self.names, title="Test set")
        return {"confusion_matrix": figure}

    def _confused_pairs(self) -> dict[str, Figure]:
        title = "Most confused classes, test set"
        pairs = confused_pairs(self.counts)
        return {"confused_pairs": plots.confused_pairs(pairs, self.names, title=title)}

    def _attribution(self, method: AttributionMethod) -> dict[str, Figure]:
        """Of one test image of each class."""
        chosen = one_of_each_class(self.of_test.shown.targets, n_samples=_N_SAMPLES)
        shown = self.of_test.shown.at(chosen)
        inputs, predicted_n = shown.stacked_inputs, shown.outputs.argmax(1)
        pairs = zip(shown.targets.tolist(), predicted_n.tolist(), strict=True)
        title = f"{method.title}: where the {method.evidence} the predicted class lies"
        figure = plots.attribution_panel(
            shown.pictures(self.data),
            method.maps(self.module, inputs, predicted_n),
            [sample_title(self.names[true], self.names[taken]) for true, taken in pairs],
            method=method.title,
            signed=method.signed,
            title=method.titled(title, self.module, inputs),
            of_true=maps_of_true(
                partial(method.maps, self.module), inputs, predicted_n, shown.targets
            ),
        )
        return {method.name: figure}

    def _mistakes(self) -> dict[str, Figure]:
        of_all = self.of_test.shown
        chosen, _ = confident_mistakes(of_all.outputs, of_all.targets, n=_N_SAMPLES)
        if not len(chosen):
            return {}
        shown = of_all.at(chosen)
        figure = mistakes_panel(
            self.module,
            shown.pictures(self.data),
            shown.stacked_inputs,
            shown.outputs,
            shown.targets,
            names=self.names,
            title="Most confident mistakes, test set",
        )
        return {"mistakes": figure}

    def _feature_maps(self) -> dict[str, Figure]:
        """Of the first test image."""
        shown = self.of_test.shown.at(torch.tensor([0]))
        maps = layer_feature_maps(self.module, shown.stacked_inputs)
        of_first = {name: values[0] for name, values in maps.items()}
        return {"feature_maps": plots.feature_maps(shown.pictures(self.data)[0], of_first)}


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

    Below it stands the Grad-CAM of the true class. images: to be shown; inputs: as the network
    takes them; logits: as the samples are evaluated, which may be a mean over mirror images.
    """
    method, confidence_n, predicted_n = METHODS["grad_cam"], *logits_nk.softmax(dim=1).max(dim=1)
    maps_nhw = method.maps(module, inputs_nchw, predicted_n)
    triples = zip(labels_n.tolist(), predicted_n.tolist(), confidence_n.tolist(), strict=True)
    titles = [f"{names[t]}, taken for {names[p]} ({share:.1%})" for t, p, share in triples]
    of_true = maps_of_true(partial(method.maps, module), inputs_nchw, predicted_n, labels_n)
    title = method.titled(title, module, inputs_nchw)
    return plots.grad_cam_panel(images_nchw, maps_nhw, titles, title=title, of_true=of_true)


def maps_of_true(
    maps: Callable[[Tensor, Tensor], Tensor],
    inputs_nchw: Tensor,
    predicted_n: Tensor,
    labels_n: Tensor,
) -> dict[int, Tensor]:
    """The maps (H, W) of the true class, by number of those samples that were taken for another.

    ``maps``: gives maps (N, H, W) of inputs and one class for each.
    """
    wrong = (predicted_n != labels_n).nonzero()[:, 0]
    if not len(wrong):
        return {}
    found = maps(inputs_nchw[wrong.to(inputs_nchw.device)], labels_n[wrong])
    return dict(zip(wrong.tolist(), found, strict=True))


def augmented_samples(data: Any) -> dict[str, Figure]:
    """Training images of several classes and what augmentation makes of them; none without it."""
    # Another's data may have an augmentation too, but no samples as they are stored.
    if not isinstance(data, TensorDataModule) or not isinstance(data.augment, BatchAugment):
        return {}
    places = one_of_each_class(data.targets("train"), n_samples=_N_SAMPLES)
    x_nchw = data.normalised(data.raw("train", places)[0])
    generator = torch.Generator(x_nchw.device).manual_seed(0)
    versions = [data.augment(x_nchw, generator) for _ in range(_N_VERSIONS)]
    figure = plots.augmented_samples(x_nchw, torch.stack(versions, 1))
    return {"augmented_samples": figure}


def sample_title(true: str, predicted: str) -> str:
    """A sample's title: its class, and what it was taken for where that differs."""
    return true if true == predicted else f"{true}, taken for {predicted}"
