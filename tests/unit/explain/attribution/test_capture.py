"""Looking into a network while it runs."""

import pytest
import torch
from torch import Tensor, nn

from lightning_hpo.errors import UserError
from lightning_hpo.explain.attribution import capture_activations
from lightning_hpo.explain.attribution.capture import (
    as_input,
    captured_once,
    evaluating,
    find_layer,
)
from lightning_hpo.models.cnn import CNNClassifier


def test_captured_once_per_forward_pass(model: CNNClassifier, images: Tensor) -> None:
    with capture_activations(model, "features.0") as captured:
        model(images[:2])
        model(images[:3])
    assert [len(activation) for activation in captured] == [2, 3]
    model(images)
    assert len(captured) == 2


# Rule: modes of all parts and the random state are as before, also behind an exception.
def test_modes_and_random_state_come_back(model: CNNClassifier) -> None:
    model.train()
    model.features[0].eval()
    state = torch.get_rng_state()
    with pytest.raises(ZeroDivisionError), evaluating(model):
        assert not any(part.training for part in model.modules())
        torch.rand(3)
        raise ZeroDivisionError
    assert model.training and model.features[1].training and not model.features[0].training
    assert torch.equal(torch.get_rng_state(), state)


# Rule: real numbers get the network's precision, labels and the inputs of a network without
# weights stay as they are.
def test_inputs_have_the_networks_precision() -> None:
    double = nn.Linear(2, 1).double()
    assert as_input(double, torch.ones(2)).dtype == torch.float64
    assert as_input(double, torch.ones(2, dtype=torch.int64)).dtype == torch.int64
    assert as_input(nn.ReLU(), torch.ones(2, dtype=torch.float16)).dtype == torch.float16


def test_a_layer_is_found_by_its_name_or_as_itself(model: CNNClassifier) -> None:
    assert find_layer(model, "features.0") is model.features[0]
    assert find_layer(model, model.features[0]) is model.features[0]
    with pytest.raises(
        UserError, match="must be part of CNNClassifier, got layer='feature'; avail"
    ):
        find_layer(model, "feature")
    with pytest.raises(UserError, match="must be part of CNNClassifier, got layer=Conv2d; availab"):
        find_layer(model, nn.Conv2d(1, 1, 1))


@pytest.mark.parametrize("times", [0, 2])
def test_a_layer_that_is_skipped_or_shared_is_refused(times: int) -> None:
    once = torch.ones(1)
    assert captured_once([once], "features.0") is once
    with pytest.raises(
        UserError, match=f"layer='a' must run once in a forward pass, ran {times} t"
    ):
        captured_once([once] * times, "a")
