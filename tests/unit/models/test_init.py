"""Rules of the three initialisation schemes, by the statistics of one large layer."""

import pytest
import torch
from torch import nn

from lightning_hpo.errors import UserError
from lightning_hpo.models.init import initialise


@pytest.mark.parametrize(
    ("scheme", "std"),
    [
        ("kaiming", 0.05),  # sqrt(2 / 800)
        ("xavier", 0.0447),  # sqrt(2 / (800 + 200))
        ("default", 0.0204),  # uniform within 1 / sqrt(800): bound / sqrt(3)
    ],
)
def test_standard_deviation_of_a_linear_layer(scheme: str, std: float) -> None:
    torch.manual_seed(0)
    layer = nn.Linear(800, 200)
    initialise(layer, scheme)
    assert layer.weight.std().item() == pytest.approx(std, rel=0.02)
    assert layer.weight.mean().item() == pytest.approx(0, abs=0.001)


def test_kaiming_counts_the_inputs_of_a_convolution() -> None:
    torch.manual_seed(0)
    layer = nn.Conv2d(50, 400, 4)  # fan_in = 50 * 4 * 4 = 800
    initialise(layer, "kaiming")
    assert layer.weight.std().item() == pytest.approx(0.05, rel=0.02)


@pytest.mark.parametrize("scheme", ["kaiming", "xavier"])
def test_biases_are_zero_and_nested_layers_are_found(scheme: str) -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Sequential(nn.Linear(3, 4)))
    initialise(network, scheme)
    assert not network[0].bias.any()
    assert not network[1][0].bias.any()


# Rule: a whole vector weighs as one standardised number does; what is unknown is left alone.
@pytest.mark.parametrize(("scheme", "std"), [("kaiming", 0.25), ("xavier", 0.25), ("default", 1.0)])
def test_standard_deviation_of_an_embedding(scheme: str, std: float) -> None:
    torch.manual_seed(0)
    layer = nn.Embedding(2000, 16)
    unknown = layer.weight[0].clone()
    initialise(layer, scheme)
    assert layer.weight[1:].std().item() == pytest.approx(std, rel=0.02)
    assert torch.equal(layer.weight[0], unknown)


def test_layers_without_a_bias_are_accepted() -> None:
    initialise(nn.Linear(3, 4, bias=False), "xavier")


def test_default_touches_nothing_and_draws_nothing() -> None:
    layer = nn.Linear(3, 4)
    weight, state = layer.weight.clone(), torch.get_rng_state()
    initialise(layer, "default")
    assert torch.equal(layer.weight, weight)
    assert torch.equal(torch.get_rng_state(), state)


def test_an_unknown_scheme_names_the_three() -> None:
    with pytest.raises(UserError, match=r"one of kaiming, xavier, default, got init='he'\."):
        initialise(nn.Linear(1, 1), "he")
