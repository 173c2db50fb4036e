"""Rules of the scale of a target: two numbers, and outputs in its units."""

import pytest
import torch

from lightning_hpo.errors import UserError
from lightning_hpo.models.mlp import MLP
from lightning_hpo.models.target_scale import in_units, plain_scale


def test_outputs_have_the_units_of_the_target_in_single_precision() -> None:
    assert plain_scale([200_000, 80_000]) == (200_000.0, 80_000.0)
    half = torch.tensor([-1.0, 0.5], dtype=torch.float16)
    found = in_units(half, (200_000.0, 80_000.0))
    assert (found.dtype, found.tolist()) == (torch.float32, [120_000.0, 240_000.0])
    assert in_units(half.double(), (0.0, 2.0)).dtype == torch.float64
    assert in_units(half, plain_scale(None)) is half


@pytest.mark.parametrize("scale", [(1.0,), (0.0, 0.0), (float("nan"), 1.0), (0.0, -2.0)])
def test_a_scale_is_a_mean_and_a_deviation(scale: tuple[float, ...]) -> None:
    with pytest.raises(UserError, match="a mean and a standard deviation above 0, got"):
        MLP(input_shape=(2,), target_scale=scale)
    with pytest.raises(UserError, match="targets are classes, got"):
        MLP(input_shape=(2,), num_classes=3, target_scale=(0.0, 1.0))
