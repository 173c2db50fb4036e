"""What modules and data a stack trains, and that it names the others, not trains them wrongly."""

from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

from lightning_hpo.data.curve import CurveDataModule
from lightning_hpo.data.digits import DigitsDataModule
from lightning_hpo.errors import UserError
from lightning_hpo.fitting.stack_members import member_of
from lightning_hpo.flavour import pl
from lightning_hpo.models.cnn import CNNClassifier
from lightning_hpo.models.fc import FCClassifier
from lightning_hpo.models.mlp import MLPClassifier, MLPRegressor


@pytest.fixture(scope="module")
def digits() -> DigitsDataModule:
    data = DigitsDataModule(train_limit=200, batch_size=30)
    data.setup("fit")
    return data


def cnn(**more: Any) -> CNNClassifier:
    return CNNClassifier(input_shape=(1, 8, 8), filters_1=2, filters_2=2, **more)


# Rule: a classifier's member has its own layers, its own minibatches and its own schedule.
@pytest.mark.parametrize(
    ("module", "n_layers"),
    [(cnn(dropout=0.2), 6 + 8), (FCClassifier(input_shape=(1, 8, 8)), 8)],
)
def test_a_classifier_brings_its_layers_and_its_loaders(
    digits: DigitsDataModule, module: Any, n_layers: int
) -> None:
    made: list[int] = []
    module.make_scheduler = lambda optimizer, total_steps: made.append(total_steps)
    member: Any = member_of(module, digits, 3, epochs=5)
    assert (len(member.layers), member.seed, member.n_val) == (n_layers, 3, 20)
    assert {id(p) for layer in member.layers for p in layer.parameters()} == {
        id(p) for p in module.parameters()
    }
    assert member.steps_per_epoch == 6
    member.schedule(member.optimizer)
    assert made == [30]
    (x, _), *_ = member.train
    assert x.shape == (30, 1, 8, 8)


def test_other_networks_and_data_are_refused(digits: DigitsDataModule) -> None:
    with pytest.raises(UserError, match=r"got LightningModule and DigitsDataModule; set cv"):
        member_of(pl.LightningModule(), digits, 0, epochs=1)
    with pytest.raises(UserError, match=r"got CNNClassifier and NoneType; set cv\.parallel=serial"):
        member_of(cnn(), None, 0, epochs=1)


# Rule: what changes a training step and is unknown to a stack is refused, with the way out.
@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"batch_norm": True}, "got BatchNorm2d; model.batch_norm=false, or set cv.parallel"),
        ({"test_time_flip": True}, "do not know model.test_time_flip; leave it out, or set cv."),
        ({"class_weights": "balanced"}, "do not know model.class_weights"),
        ({"extra_metrics": ["f1"]}, "do not know model.extra_metrics"),
        ({"steps_per_call": "epoch", "cuda_graph": True}, "do not know model.cuda_graph"),
    ],
)
def test_settings_of_a_step_are_refused(
    digits: DigitsDataModule, chosen: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        member_of(cnn(**chosen), digits, 0, epochs=1)


def test_steps_that_are_taken_together_are_the_same_steps(digits: DigitsDataModule) -> None:
    assert member_of(cnn(steps_per_call="epoch"), digits, 0, epochs=1).steps_per_epoch == 6


# Rule: a class of the user's own may train otherwise than the class that it is made from.
def test_a_class_with_a_loss_of_its_own_is_refused(digits: DigitsDataModule) -> None:
    class Doubled(CNNClassifier):
        def training_loss(self, outputs: Tensor, y: Tensor) -> Tensor:
            return 2 * super().training_loss(outputs, y)

    own = Doubled(input_shape=(1, 8, 8))
    with pytest.raises(UserError, match="Doubled has a training_loss of its own; set cv"):
        member_of(own, digits, 0, epochs=1)


@pytest.mark.parametrize("kind", [MLPRegressor, partial(MLPClassifier, num_classes=3)])
def test_networks_that_embed_categories_are_refused(kind: Any) -> None:
    data = CurveDataModule()
    data.setup("fit")
    with pytest.raises(UserError, match=r"numbers alone, got cardinalities=\(3,\).*cv\.parallel"):
        member_of(kind(cardinalities=(3,)), data, 0, epochs=1)


def test_regressions_see_all_samples_at_once() -> None:
    data = CurveDataModule(batch_size=16)
    data.setup("fit")
    n = len(data.train_indices)
    with pytest.raises(UserError, match=f"see all {n} training samples at once, got data.batch_"):
        member_of(MLPRegressor(input_shape=(1,)), data, 0, epochs=1)


def test_regressions_are_not_augmented() -> None:
    data = CurveDataModule()
    data.setup("fit")
    data.augment = lambda x, generator: x + torch.randn(x.shape, generator=generator)
    with pytest.raises(UserError, match="got data that are augmented; augment=none, or set cv"):
        member_of(MLPRegressor(input_shape=(1,)), data, 0, epochs=1)
