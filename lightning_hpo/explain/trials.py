"""What networks of several trials make of the same validation samples, as one figure."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from matplotlib.figure import Figure
from torch import Tensor

from lightning_hpo import plots
from lightning_hpo.data import told
from lightning_hpo.data.base import TensorDataModule
from lightning_hpo.explain.attribution import conv_layers, evaluating, grad_cam_maps
from lightning_hpo.explain.predictions import grid_over, is_regression, predict, true_line
from lightning_hpo.flavour import pl
from lightning_hpo.models.base import as_evaluated
from lightning_hpo.plots.regression import Line, Samples
from lightning_hpo.plots.trials import Predicted

_N_MAPS, _N_BARS = 6, 5  # samples that fit beside each other
_LOOKED_AT = 1000  # validation samples among which telling ones are sought


@dataclass(frozen=True)
class ShownTrial:
    """A trial's network and data, and what the figure calls it."""

    label: str
    module: pl.LightningModule
    data: TensorDataModule


def can_be_shown(data: pl.LightningDataModule) -> bool:
    """Whether there is such a figure for these data, and samples to validate on."""
    known = isinstance(data, TensorDataModule) and len(data.val_indices) > 0
    return known and (is_regression(data) or data.num_classes > 1)  # type: ignore[attr-defined]


def trials_side_by_side(trials: Sequence[ShownTrial], *, n_folds: int = 1) -> Figure:
    """The samples are the first trial's validation split; ``n_folds``: of which this is the first.

    One input and a real-valued target: each network's curve; several inputs: predicted against true
    values. Classes: Grad-CAM where all networks have convolutions, else class probabilities.
    """
    which = f", first of {n_folds} folds" if n_folds > 1 else ""
    if is_regression(trials[0].data):
        return _regression(trials, which)
    return _classification(trials, which)


def telling_samples(predicted_tn: Tensor, labels_n: Tensor, *, n: int) -> Tensor:
    """Indices of ``n`` samples of different classes: of each the first that is disputed.

    That is one that the networks take for different classes. Classes without come last, each with
    its first sample. The most disputed would show all networks worse than they are.
    """
    disputed_n = (predicted_tn != predicted_tn[0]).any(dim=0)
    order = disputed_n.int().sort(descending=True, stable=True).indices.tolist()
    of_class: dict[int, int] = {}
    for index in order:
        of_class.setdefault(int(labels_n[index]), index)
    return torch.tensor(list(of_class.values())[:n])


def _classification(trials: Sequence[ShownTrial], which: str) -> Figure:
    data = trials[0].data
    x, labels_n = (values[:_LOOKED_AT].cpu() for values in data.raw("val"))
    probabilities_tnk = torch.stack([_probabilities(trial, x) for trial in trials])
    with_maps = all(conv_layers(trial.module) for trial in trials)
    n = _N_MAPS if with_maps else _N_BARS
    chosen = telling_samples(probabilities_tnk.argmax(2), labels_n, n=n)
    names = data.classes or [str(k) for k in range(data.num_classes)]
    predicted = Predicted(probabilities_tnk[:, chosen], labels_n[chosen], names)
    rows, x = [trial.label for trial in trials], x[chosen]
    if with_maps:
        maps = torch.stack([_maps(trial, x) for trial in trials])
        title = f"Grad-CAM in trials of the search, validation samples{which}"
        return plots.trial_maps(x, maps, predicted, rows, title=title)
    title = f"Most probable classes in trials of the search, validation samples{which}"
    images = x if x.ndim == 4 else None
    return plots.trial_probabilities(images, predicted, rows, title=title)


def _probabilities(trial: ShownTrial, x: Tensor) -> Tensor:
    """(N, K) on the CPU."""
    with torch.no_grad(), evaluating(trial.module):
        logits_nk = as_evaluated(trial.module)(trial.data.normalised(x))
    return logits_nk.float().softmax(dim=1)


def _maps(trial: ShownTrial, x_nchw: Tensor) -> Tensor:
    return grad_cam_maps(trial.module, trial.data.normalised(x_nchw))


def _regression(trials: Sequence[ShownTrial], which: str) -> Figure:
    data, rows = trials[0].data, [trial.label for trial in trials]
    target = told.target_name(data)
    val = [trial.data.raw("val") for trial in trials]
    if data.input_shape != (1,):
        pairs = zip(trials, val, strict=True)
        samples = [Samples(y, predict(t.module, t.data, x)) for t, (x, y) in pairs]
        title = f"Predicted against true values in trials of the search, validation samples{which}"
        return plots.trial_predictions(samples, rows, target_name=target, title=title)
    train = [trial.data.raw("train") for trial in trials]
    grid_g1 = grid_over(train[0][0], val[0][0])
    x_g = grid_g1[:, 0].numpy()
    return plots.trial_curves(
        [Line(x_g, predict(trial.module, trial.data, grid_g1)) for trial in trials],
        rows,
        train=[Samples(x[:, 0], y) for x, y in train],
        val=[Samples(x[:, 0], y) for x, y in val],
        true=true_line(data, x_g),
        names=told.names(data),
        title=f"The fit in trials of the search{which}",
    )
