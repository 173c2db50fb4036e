"""The weights that a figure compares."""

import torch
from torch import nn

from lightning_hpo.explain.weights import layer_weights


def test_layer_weights_are_copies_of_matrices_and_kernels() -> None:
    module = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Linear(2, 1), nn.LazyLinear(1))
    weights = layer_weights(module)
    assert {name: tuple(w.shape) for name, w in weights.items()} == {"0": (2, 1, 3, 3), "2": (1, 2)}
    with torch.no_grad():
        module[2].weight.zero_()
    assert weights["2"].any()
