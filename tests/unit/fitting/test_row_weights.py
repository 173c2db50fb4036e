"""Rules of who heeds the weights of rows: all others are refused in one line."""

import pytest
import torch
from torch import Tensor, nn

from lightning_hpo.errors import UserError
from lightning_hpo.fitting.row_weights import require_weighed
from lightning_hpo.models.base import BaseClassifier
from lightning_hpo.models.mlp import MLP, MLPRegressor
from lightning_hpo.models.regression import BaseRegressor


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
