"""Layers of many networks as one: outputs and gradients are those of each network alone."""

import pytest
import torch
from torch import nn

from lightning_hpo.models.cnn import CNNClassifier
from lightning_hpo.models.fc import FCClassifier
from lightning_hpo.stack.layers import StackedLayers, kind_of, linear_widths, unknown

CPU = torch.device("cpu")


def cnn(seed: int, *, filters=(3, 4), neurons=(6, 5), channels=2, **more) -> list[nn.Module]:
    torch.manual_seed(seed)
    module = CNNClassifier(
        input_shape=(channels, 8, 9),
        num_classes=3,
        filters_1=filters[0],
        filters_2=filters[1],
        neurons_1=neurons[0],
        neurons_2=neurons[1],
        **more,
    )
    return [*module.features, *module.classifier]


def fc(seed: int, *, neurons=(6, 5), **more) -> list[nn.Module]:
    torch.manual_seed(seed)
    module = FCClassifier(
        input_shape=(2, 8, 9), num_classes=3, neurons_1=neurons[0], neurons_2=neurons[1], **more
    )
    return list(module.classifier)


def of_widths(make) -> list[list[nn.Module]]:
    """Networks of one kind, none of them the widest in every layer."""
    if make is cnn:
        return [cnn(0), cnn(1, filters=(5, 2)), cnn(2, neurons=(4, 9))]
    return [fc(0), fc(1, neurons=(9, 2)), fc(2, neurons=(2, 7))]


def parameters(layers: list[nn.Module]) -> list[nn.Parameter]:
    return list(nn.Sequential(*layers).parameters())


@pytest.mark.parametrize("make", [cnn, fc])
def test_each_network_gives_what_it_gives_alone(make) -> None:
    networks, x = of_widths(make), torch.randn(3, 4, 2, 8, 9)
    found = StackedLayers(networks, device=CPU)(x)
    assert found.shape == (3, 4, 3)
    for row, layers in enumerate(networks):
        torch.testing.assert_close(found[row], nn.Sequential(*layers)(x[row]))


@pytest.mark.parametrize("make", [cnn, fc])
def test_the_gradient_is_that_of_each_network_alone(make) -> None:
    networks, x = of_widths(make), torch.randn(3, 4, 2, 8, 9)
    weight = torch.randn(3, 4, 3)
    stacked = StackedLayers(networks, device=CPU)
    stacked.gradient((stacked(x) * weight).sum())
    for row, layers in enumerate(networks):
        (nn.Sequential(*layers)(x[row]) * weight[row]).sum().backward()
        gradients = [parameter.grad.clone() for parameter in parameters(layers)]
        stacked.copy_to(layers, row, stacked.grad)
        for parameter, gradient in zip(parameters(layers), gradients, strict=True):
            torch.testing.assert_close(parameter.detach(), gradient, rtol=1e-4, atol=1e-6)


# Rule: what pads a narrow network is zero and has no gradient, so that it stays zero.
@pytest.mark.parametrize("make", [cnn, fc])
def test_padding_has_no_gradient(make) -> None:
    networks = of_widths(make)
    stacked = StackedLayers(networks, device=CPU)
    stacked.gradient(stacked(torch.randn(3, 4, 2, 8, 9)).square().sum())
    for layers in networks:
        for parameter in parameters(layers):
            parameter.data.fill_(1)
    is_padding = StackedLayers(networks, device=CPU).flat == 0
    for row, layers in enumerate(networks):
        n_own = sum(parameter.numel() for parameter in parameters(layers))
        assert int(is_padding[row].sum()) == stacked.flat.shape[1] - n_own > 0
    assert not stacked.flat[is_padding].any()
    assert not stacked.grad[is_padding].any()


def test_a_mask_is_of_the_hidden_units_in_their_order() -> None:
    (layers,) = networks = [cnn(0, dropout=0.5)]
    stacked, x = StackedLayers(networks, device=CPU), torch.randn(1, 4, 2, 8, 9)
    assert stacked.widths == [6, 5]
    masks = [torch.zeros(1, 4, 6), torch.ones(1, 4, 5)]
    alone = nn.Sequential(*layers).eval()
    without = [layer for layer in alone if isinstance(layer, nn.Linear)]
    first_dropped = without[2](without[1].bias.relu()).expand(4, 3)
    torch.testing.assert_close(stacked(x, masks)[0], first_dropped)
    torch.testing.assert_close(stacked(x)[0], alone(x[0]))


def test_who_leaves_changes_nothing_for_the_others() -> None:
    networks, x = of_widths(cnn), torch.randn(3, 4, 2, 8, 9)
    stacked = StackedLayers(networks, device=CPU)
    before = stacked(x)
    stacked.keep(torch.tensor([0, 2]))
    torch.testing.assert_close(stacked(x[[0, 2]]), before[[0, 2]])


# Rule: networks that differ in more than their widths are of different kinds.
def test_kinds_leave_out_widths_alone() -> None:
    assert kind_of(cnn(0)) == kind_of(cnn(1, filters=(7, 7), dropout=0.3))
    assert kind_of(cnn(0)) != kind_of(cnn(0, kernel_size=5))
    assert kind_of(cnn(0)) != kind_of(fc(0))
    assert linear_widths(cnn(0)) == [6, 5, 3]


@pytest.mark.parametrize(
    ("layers", "what"),
    [
        (cnn(0), None),
        (fc(0), None),
        (cnn(0, batch_norm=True), "BatchNorm2d"),
        (fc(0, batch_norm=True), "BatchNorm1d"),
        ([nn.Linear(2, 2), nn.Tanh()], "Tanh"),
        ([nn.Linear(2, 2, bias=False)], "Linear with bias=False"),
        ([nn.Conv2d(1, 1, 3, padding=1)], "Conv2d with padding=(1, 1)"),
        ([nn.Conv2d(2, 2, 3, padding="same", groups=2)], "Conv2d with groups=2"),
        ([nn.Conv2d(2, 2, 3, padding="same", dilation=2)], "Conv2d with dilation=(2, 2)"),
        ([nn.Flatten(2)], "Flatten with start_dim=2"),
    ],
)
def test_what_cannot_be_stacked_is_named(layers: list[nn.Module], what: str | None) -> None:
    assert unknown(layers) == what
