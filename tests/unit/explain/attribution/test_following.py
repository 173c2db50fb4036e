"""Where the activation behind a layer is found, in networks of every make."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lightning_hpo.errors import UserError
from lightning_hpo.explain.attribution import Place, grad_cam, last_map
from lightning_hpo.models.cnn import CNNClassifier

IMAGES = torch.randn(3, 1, 12, 12, generator=torch.Generator().manual_seed(1))


class Between(nn.Module):
    """A convolution ``conv``, ``between``, which may hold an activation, and a linear head."""

    def __init__(self, between: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.head = nn.Conv2d(1, 4, 3), nn.LazyLinear(5)
        self.between = between

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.between(self.conv(x)).flatten(1))


def behind(between: Callable[[Tensor], Tensor]) -> str | None:
    place = last_map(Between(between), IMAGES)
    assert place.layer == "conv"
    return place.activation


def used_for_its_effect(x: Tensor) -> Tensor:
    F.relu_(x)
    return x


def swish(x: Tensor) -> Tensor:
    return F.silu(x, inplace=True)


MODULES = [
    *(nn.ReLU(), nn.ReLU(inplace=True), nn.LeakyReLU(), nn.PReLU(), nn.RReLU(), nn.ELU()),
    *(nn.CELU(), nn.SELU(), nn.GELU(), nn.SiLU(), nn.Mish(), nn.Hardswish(), nn.ReLU6()),
    *(nn.Hardtanh(), nn.Sigmoid(), nn.Hardsigmoid(), nn.LogSigmoid(), nn.Tanh(), nn.Softplus()),
    *(nn.Softsign(), nn.Threshold(0.1, 0.0), nn.Hardshrink(), nn.Softshrink(), nn.Tanhshrink()),
    nn.GLU(dim=1),
]
FUNCTIONS = [F.relu, torch.relu, Tensor.relu, used_for_its_effect, swish, lambda x: x.clamp(min=0)]


# Rule: whatever torch calls an activation is one, as a module or a function, in place or not.
@pytest.mark.parametrize("activation", [*MODULES, *FUNCTIONS])
def test_an_activation_is_found(activation: Callable[[Tensor], Tensor]) -> None:
    assert behind(activation) is not None


CARRIERS = [
    *(nn.BatchNorm2d(4), nn.GroupNorm(2, 4), nn.InstanceNorm2d(4), nn.LocalResponseNorm(2)),
    *(nn.MaxPool2d(2), nn.AvgPool2d(2), nn.AdaptiveMaxPool2d(3), nn.AdaptiveAvgPool2d(3)),
    *(nn.Dropout(), nn.Dropout2d(), nn.Identity(), nn.Upsample(scale_factor=2), nn.ZeroPad2d(1)),
]
SUMS = [
    lambda x: x + 1,
    lambda x: 1 + x,
    lambda x: x.add_(x),
    lambda x: torch.ones_like(x).add_(x),
    lambda x: torch.cat([torch.ones_like(x), x], dim=1),
    lambda x: F.max_pool2d(x, 2, return_indices=True)[0],
    lambda x: x.contiguous(memory_format=torch.channels_last).float(),
]


# Rule: normalisations, poolings, residual sums and copies do not part a layer from its activation.
@pytest.mark.parametrize("carrier", [*CARRIERS, *SUMS])
def test_an_activation_is_found_behind_what_carries_maps(carrier: Any) -> None:
    assert behind(lambda x: carrier(x).relu()) == "relu"
    assert behind(carrier) is None


# Rule: what is no longer a map of this layer, channels before pixels, has lost its trail.
@pytest.mark.parametrize(
    "parted",
    [
        lambda x: x.permute(0, 2, 3, 1).relu(),
        lambda x: F.linear(x, torch.ones(2, 10)).relu(),
        lambda x: F.adaptive_avg_pool2d(x, 1).relu(),
        lambda x: x.flatten(2).relu(),
        lambda x: torch.zeros_like(x).relu() + x,
    ],
)
def test_no_activation_counts_behind_another_shape_or_weights(parted: Any) -> None:
    assert behind(parted) is None


def test_the_first_activation_counts() -> None:
    assert behind(lambda x: x.tanh().relu()) == "tanh"
    assert behind(lambda x: x * F.adaptive_avg_pool2d(x, 1).sigmoid() + F.gelu(x)) == "gelu"


def test_a_place_says_where_it_is() -> None:
    assert str(Place("conv", "relu")) == "at the relu behind conv"
    assert str(Place("conv")) == "at conv itself"
    assert str(Place(nn.Conv2d(1, 1, 1))) == "at Conv2d itself"


class Residual(nn.Module):
    """A residual block with one ReLU for two activations, both in place."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second = nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.norm, self.relu, self.head = nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.Linear(4, 5)

    def forward(self, x: Tensor) -> Tensor:
        shortcut = self.relu(self.first(x))
        out = self.norm(self.second(shortcut))
        out += shortcut
        return self.head(self.relu(out).mean(dim=(2, 3)))

    def by_hand(self, x: Tensor) -> Tensor:
        """Grad-CAM of class 2 at the block's end, where the gradient is the head's weight / HW."""
        shortcut = self.first(x).relu()
        out_nchw = (self.norm(self.second(shortcut)) + shortcut).relu()
        pixels = out_nchw[0, 0].numel()
        return torch.einsum("c,nchw->nhw", self.head.weight[2] / pixels, out_nchw).relu()


def test_a_shared_relu_is_taken_where_the_layer_reaches_it() -> None:
    model = Residual().eval()
    assert last_map(model, IMAGES) == Place("second", "relu")
    maps = grad_cam(model, None, IMAGES, 2)
    torch.testing.assert_close(maps, model.by_hand(IMAGES).detach())
    assert maps.abs().max() > 0


class Narrowing(nn.Module):
    """Layers that run in another order than they stand, the last with one pixel on small images."""

    def __init__(self) -> None:
        super().__init__()
        self.last, self.twice = nn.Conv2d(2, 2, 3), nn.Conv2d(2, 2, 1)
        self.first, self.unused = nn.Conv2d(1, 2, 3), nn.Conv2d(1, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.last(self.first(x).relu()).relu()
        return self.twice(self.twice(x)).flatten(1)


# Rule: of the layers that run once, the last one whose map has more than one pixel.
def test_which_layer_is_the_last() -> None:
    model = Narrowing()
    assert last_map(model, torch.rand(2, 1, 6, 6)) == Place("last", "relu")
    assert last_map(model, torch.rand(2, 1, 5, 5)) == Place("first", "relu")
    one_pixel = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten())
    with pytest.raises(UserError, match=r"Sequential has none for images of shape \(1, 3, 3\)"):
        last_map(one_pixel, torch.rand(2, 1, 3, 3))


def test_the_reference_network_is_seen_through() -> None:
    plain, normed = (CNNClassifier(input_shape=(1, 12, 12), batch_norm=on) for on in (False, True))
    assert last_map(plain, IMAGES) == Place("features.3", "relu")
    assert last_map(normed, IMAGES) == Place("features.4", "relu")


def test_a_network_of_torchvision_on_small_images() -> None:
    models = pytest.importorskip("torchvision.models")
    # Its last four convolutions make one pixel of 32 x 32.
    place = last_map(models.resnet18(num_classes=5), torch.rand(2, 3, 32, 32))
    assert place == Place("layer3.1.conv2", "relu")
