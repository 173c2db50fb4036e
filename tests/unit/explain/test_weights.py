"""The weights that a figure compares."""

import torch
from torch import nn

from lightning_hpo.explain.weights import filter_figures, layer_weights


def test_layer_weights_are_copies_of_matrices_and_kernels() -> None:
    module = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Linear(2, 1), nn.LazyLinear(1))
    weights = layer_weights(module)
    assert {name: tuple(w.shape) for name, w in weights.items()} == {"0": (2, 1, 3, 3), "2": (1, 2)}
    with torch.no_grad():
        module[2].weight.zero_()
    assert weights["2"].any()


# Rule: the first three convolutions whose filters are more than a pixel; small networks have all.
def test_filters_are_those_of_the_first_layers_of_real_size() -> None:
    kernels = (1, 3, 1, 5, 3, 3)
    deep = nn.Sequential(*(nn.Conv2d(2, 2, kernel) for kernel in kernels))
    figures = filter_figures(deep)
    assert list(figures) == ["filters_2", "filters_4", "filters_5"]
    title = figures["filters_4"].axes[0].get_title()
    assert title.startswith("Convolution 4 of 6: 3\nsize 5 x 5, 2 shown")
    small = filter_figures(nn.Sequential(nn.Conv2d(1, 2, 3), nn.Conv2d(2, 2, 3)), ", at the end")
    titles = [figure.axes[0].get_title().splitlines()[0] for figure in small.values()]
    assert titles == ["Convolution 1: 0, at the end", "Convolution 2: 1, at the end"]
    assert filter_figures(nn.Sequential(nn.Conv2d(1, 2, 1))) == {}
