"""What layers of a network put out, and which layers there are."""

import pytest
import torch
from torch import Tensor, nn

from lightning_hpo.errors import UserError
from lightning_hpo.explain.attribution import (
    conv_layers,
    feature_maps,
    last_conv,
    last_hidden_activations,
    layer_feature_maps,
)
from lightning_hpo.models.cnn import CNNClassifier


def test_feature_maps_are_the_layer_s_output(model: CNNClassifier, images: Tensor) -> None:
    maps = feature_maps(model, "features.0", images)
    assert maps.shape == (7, 4, 12, 12)
    torch.testing.assert_close(maps, model.features[0](images).detach())
    assert not maps.requires_grad
    assert feature_maps(model, "classifier.5", images).shape == (7, 64)  # last hidden layer


def test_layers_in_one_pass_give_what_single_layers_give(
    model: CNNClassifier, images: Tensor
) -> None:
    maps = layer_feature_maps(model, images)
    assert list(maps) == [name for name, _ in conv_layers(model)] == ["features.0", "features.3"]
    for name, values in maps.items():
        assert torch.equal(values, feature_maps(model, name, images))
    assert list(layer_feature_maps(model, images, ["classifier.5"])) == ["classifier.5"]


class Functional(nn.Module):
    """Hidden layers as functions, which no hook on a layer sees."""

    def __init__(self) -> None:
        super().__init__()
        self.out, self.hidden = nn.Linear(3, 2), nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(nn.functional.relu(self.hidden(x)))


def test_the_last_hidden_layer_is_what_enters_the_last_linear_one(
    model: CNNClassifier, images: Tensor
) -> None:
    hidden = last_hidden_activations(model, images)
    assert torch.equal(hidden, feature_maps(model, "classifier.5", images))
    own, x = Functional(), torch.randn(5, 4)
    torch.testing.assert_close(last_hidden_activations(own, x), own.hidden(x).relu().detach())
    with pytest.raises(UserError, match="enters a linear layer, and Conv2d runs none"):
        last_hidden_activations(nn.Conv2d(1, 1, 1), images)


def test_last_conv(model: CNNClassifier) -> None:
    assert last_conv(model) == ("features.3", model.features[3])
