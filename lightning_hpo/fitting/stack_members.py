"""From a module and its data to a member of a stack.

A stack has arithmetic of its own: a network, a loss or a setting that it does not know must be
refused, since otherwise it would silently do nothing, or train another network.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from torch import nn

from lightning_hpo.data.base import TensorDataModule
from lightning_hpo.errors import UserError
from lightning_hpo.fitting.row_weights import require_weighed
from lightning_hpo.models.base import BaseClassifier, ClassificationMetrics
from lightning_hpo.models.cnn import CNNClassifier
from lightning_hpo.models.fc import FCClassifier
from lightning_hpo.models.mlp import MLPClassifier, MLPRegressor
from lightning_hpo.stack.classification import ClassificationMember
from lightning_hpo.stack.layers import KNOWN, unknown
from lightning_hpo.stack.learner import Member
from lightning_hpo.stack.regression import RegressionMember

SERIAL = "set cv.parallel=serial."
_CLASSIFIERS = (CNNClassifier, FCClassifier, MLPClassifier)
# What a classifier may do otherwise in a training step, and how it says that it does not.
_PLAIN: Mapping[str, Any] = {
    "distillation": None,
    "class_weights": None,
    "test_time_flip": False,
}
# What a classifier's training and validation step are made of.
_STEPS = (
    *("forward", "evaluated", "loss", "training_loss", "fitted_loss"),
    *("training_step", "validation_step"),
)


def member_of(module: Any, data: Any, seed: int, *, epochs: int) -> Member:
    """The network of ``module`` with its optimizer and its data.

    ``seed``: of its dropout. ``epochs``: the length of the fit, over which a learning-rate schedule
    extends.

    Raises:
        UserError: for what cannot be stacked.
    """
    if isinstance(data, TensorDataModule):
        require_weighed(module, data, stacked=True)
        if isinstance(module, MLPRegressor):
            return _regression(module, data, seed, epochs)
        if isinstance(module, _CLASSIFIERS):
            return _classification(module, data, seed, epochs)
    names = ", ".join(kind.__name__ for kind in _CLASSIFIERS)
    raise UserError(
        f"stacked networks need an MLPRegressor, {names} and a TensorDataModule, got"
        f" {type(module).__name__} and {type(data).__name__}; {SERIAL}"
    )


def _regression(
    module: MLPRegressor, data: TensorDataModule, seed: int, epochs: int
) -> RegressionMember:
    _require_numbers(module)
    _require_full_batch(data)
    if data.augment is not None:
        raise UserError(
            "stacked regressions train on the data as they are, got data that are augmented;"
            f" augment=none, or {SERIAL}"
        )
    x, y = data.raw("train")
    val_x, val_y = data.raw("val")
    return RegressionMember(
        network=module.network,
        optimizer=module.make_optimizer(module.parameters()),
        dropout=module.dropout,
        seed=seed,
        train=(data.normalised(x), y),
        val=(data.normalised(val_x), val_y) if len(val_y) else None,
        target_scale=module.target_scale,
        schedule=_schedule(module, epochs),
    )


def _classification(
    module: BaseClassifier, data: TensorDataModule, seed: int, epochs: int
) -> ClassificationMember:
    layers = _layers(module)
    _require_plain(module, layers)
    train, val = data.train_dataloader(), data.val_dataloader()
    return ClassificationMember(
        layers=layers,
        optimizer=module.make_optimizer(module.parameters()),
        seed=seed,
        train=train,
        val=None if isinstance(val, list) else val,
        label_smoothing=module.label_smoothing,
        schedule=_schedule(module, epochs * train.n_minibatches),
    )


def _schedule(module: Any, n_steps: int) -> Any:
    make = module.make_scheduler
    return make and partial(make, total_steps=n_steps)


def _layers(module: BaseClassifier) -> list[nn.Module]:
    """Those of the network in their order."""
    if isinstance(module, MLPClassifier):
        _require_numbers(module)
        return list(module.network)
    if isinstance(module, CNNClassifier):
        return [*module.features, *module.classifier]
    assert isinstance(module, FCClassifier)
    return list(module.classifier)


def _require_plain(module: BaseClassifier, layers: list[nn.Module]) -> None:
    """Raise for a classifier whose training or validation step is not that of a stack."""
    other = unknown(layers)
    if other is not None:
        way_out = "model.batch_norm=false, or " if "BatchNorm" in other else ""
        raise UserError(f"stacked classifiers are made of {KNOWN}, got {other}; {way_out}{SERIAL}")
    chosen = [name for name, neutral in _PLAIN.items() if getattr(module, name) != neutral]
    metrics = module.val_metrics
    assert isinstance(metrics, ClassificationMetrics)
    chosen += ["extra_metrics"] if len(metrics.extra.of) else []
    chosen += ["cuda_graph"] if module.minibatches.cuda_graph else []
    if chosen:
        raise UserError(
            f"stacked classifiers do not know model.{chosen[0]}; leave it out, or {SERIAL}"
        )
    known = next(kind for kind in _CLASSIFIERS if isinstance(module, kind))
    for name in _STEPS:
        if getattr(type(module), name) is not getattr(known, name):
            raise UserError(
                f"stacked networks train a {known.__name__} as it is, and"
                f" {type(module).__name__} has a {name} of its own; {SERIAL}"
            )


def _require_numbers(module: MLPRegressor | MLPClassifier) -> None:
    if module.embeddings is not None:
        raise UserError(
            "stacked networks take numbers alone, got cardinalities="
            f"{module.embeddings.cardinalities}, categories to embed; {SERIAL}"
        )


def _require_full_batch(data: TensorDataModule) -> None:
    n = len(data.train_indices)
    if data.batch_size < n:
        raise UserError(
            f"stacked regressions see all {n} training samples at once, got"
            f" data.batch_size={data.batch_size}; set data.batch_size={n} or more (of a"
            f" table also null), or {SERIAL}"
        )
