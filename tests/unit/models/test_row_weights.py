"""Rules of weights of samples: one of weight 2 is as one that is there twice."""

import pytest
import torch
from torch import Tensor

from lightning_hpo.models.base import BaseModule
from lightning_hpo.models.mlp import MLP

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
