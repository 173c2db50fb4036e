"""What networks of several trials make of the same validation samples, as one figure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce

import torch
from matplotlib.figure import Figure
from torch import Tensor

from lightning_hpo import plots
from lightning_hpo.data import told
from lightning_hpo.data.base import TensorDataModule
from lightning_hpo.errors import UserError
from lightning_hpo.explain.attempts import failure
from lightning_hpo.explain.attribution import conv_layers, grad_cam_maps
from lightning_hpo.explain.classification import as_logits
from lightning_hpo.explain.predictions import grid_over, is_regression, predict, true_line
from lightning_hpo.explain.regression import values_of
from lightning_hpo.explain.seen import Seen, seen_in
from lightning_hpo.flavour import pl
from lightning_hpo.plots.regression import Line, Samples
from lightning_hpo.plots.trials import Predicted

_N_MAPS, _N_BARS = 6, 5  # samples that fit beside each other
_LOOKED_AT = 1000  # validation samples among which telling ones are sought
_MOST_BYTES = 2**27  # of their inputs


@dataclass(frozen=True)
class ShownTrial:
    """A trial's network and data, and what the figure calls it."""

    label: str
    module: pl.LightningModule
    data: pl.LightningDataModule


def can_be_shown(module: pl.LightningModule, data: pl.LightningDataModule) -> bool:
    """Whether there is such a figure for these data, and samples to validate on.

    Of data that are no TensorDataModule the first validation batch is looked at.
    """
    if isinstance(data, TensorDataModule):
        return len(data.val_indices) > 0 and (is_regression(data) or data.num_classes > 1)
    with pl.utilities.seed.isolate_rng():
        return failure(lambda: next(_validated(module, data)).task) is None


def _validated(module: pl.LightningModule, data: pl.LightningDataModule) -> Iterator[Seen]:
    return seen_in(module, data, data.val_dataloader())


def trials_side_by_side(trials: Sequence[ShownTrial], *, n_folds: int = 1) -> Figure:
    """The samples are the first trial's validation split; ``n_folds``: of which this is the first.

    One input and a real-valued target: each network's curve; several inputs: predicted against true
    values. Classes: Grad-CAM where all networks have convolutions, else class probabilities.
    """
    which = f", first of {n_folds} folds" if n_folds > 1 else ""
    if is_regression(trials[0].data):
        return _resident_regression(trials, which)
    seen = _same_samples(trials)
    if seen[0].task == "numbers":
        return _regression(trials, seen, which)
    return _classification(trials, seen, which)


def _same_samples(trials: Sequence[ShownTrial]) -> list[Seen]:
    """What each network makes of the first validation samples, which all must share."""
    found = [_first_samples(trial) for trial in trials]
    n = torch.arange(min(len(seen.given) for seen in found))
    found = [seen.at(n) for seen in found]
    if not all(torch.equal(seen.targets, found[0].targets) for seen in found):
        raise UserError("the trials do not validate on the same samples in the same order.")
    return found


def _first_samples(trial: ShownTrial) -> Seen:
    found, n, n_bytes = [], 0, 0
    for seen in _validated(trial.module, trial.data):
        found.append(seen)
        n += len(seen.given)
        n_bytes += sum(x.nbytes for x in seen.inputs)
        if n >= _LOOKED_AT or n_bytes > _MOST_BYTES:
            break
    return reduce(Seen.followed_by, found).at(torch.arange(min(n, _LOOKED_AT)))


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


def _classification(trials: Sequence[ShownTrial], seen: Sequence[Seen], which: str) -> Figure:
    logits_tnk = torch.stack([as_logits(of_trial.outputs) for of_trial in seen])
    labels_n, with_maps = seen[0].targets.long(), all(conv_layers(trial.module) for trial in trials)
    n = _N_MAPS if with_maps else _N_BARS
    chosen = telling_samples(logits_tnk.argmax(2), labels_n, n=n)
    data, rows = trials[0].data, [trial.label for trial in trials]
    names = told.class_names(data, logits_tnk.shape[2])
    predicted = Predicted(logits_tnk[:, chosen].softmax(dim=2), labels_n[chosen], names)
    samples = [of_trial.at(chosen) for of_trial in seen]
    if with_maps:
        pairs = zip(trials, samples, strict=True)
        # Of the class that was evaluated, which may come from a mean over mirror images.
        maps = [grad_cam_maps(t.module, s.stacked_inputs, s.outputs.argmax(1)) for t, s in pairs]
        title = f"Grad-CAM in trials of the search, validation samples{which}"
        return plots.trial_maps(
            samples[0].pictures(data), torch.stack(maps), predicted, rows, title=title
        )
    title = f"Most probable classes in trials of the search, validation samples{which}"
    return plots.trial_probabilities(_pictures(samples[0], data), predicted, rows, title=title)


def _pictures(samples: Seen, data: object) -> Tensor | None:
    try:
        return samples.pictures(data)
    except UserError:
        # Rows of numbers.
        return None


def _regression(trials: Sequence[ShownTrial], seen: Sequence[Seen], which: str) -> Figure:
    title = f"Predicted against true values in trials of the search, validation samples{which}"
    return plots.trial_predictions(
        [values_of([of_trial]) for of_trial in seen],
        [trial.label for trial in trials],
        target_name=told.target_name(trials[0].data),
        title=title,
    )


def _resident_regression(trials: Sequence[ShownTrial], which: str) -> Figure:
    all_data, rows = [trial.data for trial in trials], [trial.label for trial in trials]
    resident = [data for data in all_data if is_regression(data)]
    data, target = resident[0], told.target_name(resident[0])
    modules, val = [trial.module for trial in trials], [of.raw("val") for of in resident]
    if data.input_shape != (1,):
        of_trials = zip(modules, resident, val, strict=True)
        samples = [Samples(y, predict(module, of, x)) for module, of, (x, y) in of_trials]
        title = f"Predicted against true values in trials of the search, validation samples{which}"
        return plots.trial_predictions(samples, rows, target_name=target, title=title)
    train = [of.raw("train") for of in resident]
    grid_g1 = grid_over(train[0][0], val[0][0])
    x_g = grid_g1[:, 0].numpy()
    pairs = zip(modules, resident, strict=True)
    return plots.trial_curves(
        [Line(x_g, predict(module, of, grid_g1)) for module, of in pairs],
        rows,
        train=[Samples(x[:, 0], y) for x, y in train],
        val=[Samples(x[:, 0], y) for x, y in val],
        true=true_line(data, x_g),
        names=told.names(data),
        title=f"The fit in trials of the search{which}",
    )
