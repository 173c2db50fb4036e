"""Rules of weights of samples: one of weight 2 is as one that is there twice."""

import pytest
import torch
from torch import Tensor, nn

from lightning_hpo.errors import UserError
from lightning_hpo.fitting.row_weights import require_weighed
from lightning_hpo.models.base import BaseClassifier, BaseModule
from lightning_hpo.models.mlp import MLP, MLPRegressor
from lightning_hpo.models.regression import BaseRegressor

N_OF_EACH = torch.tensor([1, 2, 1, 2, 2, 1])


def gradients(model: BaseModule, batch: tuple[Tensor, ...]) -> list[Tensor]:
    model.zero_grad()
    loss = model.training_step(batch, 0)
    assert loss is not None
    loss.backward()
    return [p.grad.clone() for p in model.parameters() if p.grad is not None]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"target_scale": (3.0, 2.0)},
        {"num_classes": 3},
        {"num_classes": 3, "label_smoothing": 0.2},
        {"num_classes": 3, "class_weights": [1.0, 4.0, 0.5]},
        {"num_classes": 3, "class_weights": [1.0, 4.0, 0.5], "label_smoothing": 0.2},
    ],
)
def test_a_weight_of_two_is_a_row_that_is_there_twice(options: dict) -> None:
    torch.manual_seed(0)
    model = MLP(input_shape=(2,), neurons=(5,), **options)
    x, y = torch.randn(6, 2), torch.randn(6)
    if "num_classes" in options:
        y = torch.tensor([0, 1, 2, 2, 1, 0])
    twice = x.repeat_interleave(N_OF_EACH, 0), y.repeat_interleave(N_OF_EACH)
    weighted = gradients(model, (x, y, N_OF_EACH.float()))
    assert len(weighted) == 4
    torch.testing.assert_close(weighted, gradients(model, twice))
    # Only their proportions count, and without them it is another gradient.
    torch.testing.assert_close(weighted, gradients(model, (x, y, N_OF_EACH * 10.0)))
    assert not torch.allclose(weighted[0], gradients(model, (x, y))[0])


class Weighing:
    """Data whose rows have weights."""

    train_weights = torch.ones(3)


class Absolute(BaseRegressor):
    """Of another loss."""

    def loss(self, outputs: Tensor, y: Tensor) -> Tensor:
        return (outputs - y).abs().mean()


class WeightedAbsolute(Absolute):
    """Of another loss, and it says how that weighs."""

    def weighted_loss(self, outputs: Tensor, y: Tensor, weights: Tensor) -> Tensor:
        return ((outputs - y).abs() * weights).sum() / weights.sum()


class Taught(BaseClassifier):
    """Learns of a teacher."""

    def __init__(self) -> None:
        super().__init__(num_classes=2)
        self.distillation = object()


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (nn.Linear(1, 1), "this Linear does not; derive it from BaseClassifier or BaseRegressor"),
        (Absolute(), "this Absolute does not; give it a weighted_loss"),
        (Taught(), "this Taught does not; use model.distillation=null"),
        (MLP(num_classes=2, steps_per_call=4), "got model.steps_per_call=4 with data.weights"),
    ],
)
def test_what_weighs_no_rows_is_refused(module: object, message: str) -> None:
    with pytest.raises(UserError, match=message) as error:
        require_weighed(module, Weighing())
    assert "\n" not in str(error.value)
    # Without weights nobody minds.
    require_weighed(module, object())


def test_what_weighs_rows_may_but_for_a_stack() -> None:
    for module in (MLPRegressor(), MLP(num_classes=2), WeightedAbsolute()):
        require_weighed(module, Weighing())
    with pytest.raises(UserError, match=r"set cv\.parallel=serial"):
        require_weighed(MLPRegressor(), Weighing(), stacked=True)
