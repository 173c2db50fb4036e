"""Fully connected layers in a loop, and their widths from a list, a mapping and a depth."""

import pytest
import torch
from omegaconf import OmegaConf
from torch import nn

from lightning_hpo.errors import UserError
from lightning_hpo.models.dense import dense_layers, hidden_widths, plain_neurons, row_shape


def test_each_width_is_a_hidden_layer_before_one_output() -> None:
    network = dense_layers(3, (5, 4), dropout=0.5)
    linear = [layer for layer in network if isinstance(layer, nn.Linear)]
    assert [(layer.in_features, layer.out_features) for layer in linear] == [(3, 5), (5, 4), (4, 1)]
    assert [layer.p for layer in network if isinstance(layer, nn.Dropout)] == [0.5, 0.5]


def test_there_may_be_several_outputs() -> None:
    assert dense_layers(3, (5,), dropout=0.0, outputs=4)(torch.randn(2, 3)).shape == (2, 4)


def test_the_depth_takes_the_first_widths() -> None:
    assert hidden_widths([6, 5, 4], None) == (6, 5, 4)
    assert hidden_widths({"a": 6, "b": 5, "c": 4}, 2) == (6, 5)
    with pytest.raises(UserError, match=r"depth must lie in \[1, 2\]"):
        hidden_widths([6, 5], 3)


def test_arguments_of_a_configuration_become_plain_values() -> None:
    neurons = plain_neurons(OmegaConf.create({"a": 6}))
    assert (type(neurons), neurons) == (dict, {"a": 6})
    assert plain_neurons(OmegaConf.create([6, 5])) == (6, 5)
    assert row_shape(torch.Size([4])) == (4,)


def test_images_are_refused_with_a_network_that_takes_them() -> None:
    with pytest.raises(UserError, match=r"got input_shape=\[1, 8, 8\]; .* for images model=fc"):
        row_shape((1, 8, 8))
