"""Rules of integrated gradients: by hand, against captum, and that a map sums to a difference."""

import pytest
import torch
from torch import Tensor, nn

from lightning_hpo.errors import UserError
from lightning_hpo.explain.attribution import integrated_gradients
from lightning_hpo.models.cnn import CNNClassifier
from lightning_hpo.models.fc import FCClassifier


class Squares(nn.Module):
    """Logit 0: sum of x; logit 1: sum of x squared, minus 100 as long as that is small."""

    def forward(self, x: Tensor) -> Tensor:
        x = x.flatten(1)
        return torch.stack([x.sum(1), x.square().sum(1) - 100], dim=1)


def images(n: int, *shape: int) -> Tensor:
    return torch.randn(n, *shape, generator=torch.Generator().manual_seed(1))


# Rule: the integral of 2 x from b to x is x^2 - b^2, which the middles of equal parts give exactly.
def test_maps_by_hand() -> None:
    x = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
    black, grey = integrated_gradients, {"baseline": 2.0}
    assert torch.equal(black(Squares(), x, 0), x[0] - 1)  # the darkest value is 1
    assert torch.equal(black(Squares(), x, 1), x[0].square() - 1)
    assert torch.equal(black(Squares(), x, 1, **grey), x[0].square() - 4)
    assert torch.equal(black(Squares(), x, 1, **grey, steps=1), x[0].square() - 4)
    assert torch.equal(black(Squares(), x, **grey), x[0] - 2)  # logits 10 and -70: class 0


# Rule: each channel has its own darkest value, and evidence is summed over channels.
def test_channels_are_summed() -> None:
    x = torch.tensor([[[[1.0, 2.0]], [[5.0, -5.0]]]])
    assert torch.equal(integrated_gradients(Squares(), x, 0), torch.tensor([[[10.0, 1.0]]]))


# Rule: what counts is the class predicted of the image, not of the points on the way to it.
def test_the_class_is_that_of_the_image() -> None:
    x = torch.tensor([[[[11.0, 0.0]]]])  # logits 11 and 21; half way 5.5 and -69.75
    torch.testing.assert_close(integrated_gradients(Squares(), x), torch.tensor([[[121.0, 0.0]]]))


@pytest.fixture(params=["cnn", "fc"])
def model(request: pytest.FixtureRequest) -> nn.Module:
    torch.manual_seed(0)
    kinds = {"cnn": CNNClassifier, "fc": FCClassifier}
    return kinds[request.param](input_shape=(3, 12, 12), num_classes=5).eval()


@pytest.mark.parametrize("steps", [2, 32])
@pytest.mark.parametrize("black", [True, False])
@pytest.mark.filterwarnings("ignore")  # captum's own
def test_equals_captum(model: nn.Module, steps: int, *, black: bool) -> None:
    captum_attr = pytest.importorskip("captum.attr")
    x = images(6, 3, 12, 12)
    target = model(x).argmax(1)
    baseline = x.amin(dim=(2, 3), keepdim=True).expand_as(x) if black else torch.zeros_like(x)
    theirs = captum_attr.IntegratedGradients(model).attribute(
        x, baseline, target, n_steps=steps, method="riemann_middle"
    )
    ours = integrated_gradients(model, x, baseline=None if black else 0.0, steps=steps)
    assert ours.abs().max() > 0
    torch.testing.assert_close(ours, theirs.sum(dim=1).detach().float())


# Rule (completeness, the paper's axiom): a map sums to logit(image) - logit(baseline).
def test_a_map_sums_to_what_the_baseline_lacks(model: nn.Module) -> None:
    x, classes = images(6, 3, 12, 12), torch.arange(6) % 5
    black = x.amin(dim=(2, 3), keepdim=True).expand_as(x)
    with torch.no_grad():
        difference = (model(x) - model(black)).gather(1, classes[:, None])[:, 0]
    total = integrated_gradients(model, x, classes, steps=512).sum(dim=(1, 2))
    torch.testing.assert_close(total, difference, rtol=1e-2, atol=2e-3)


# Rule (implementation invariance): what the image has as dark as its baseline speaks for nothing.
def test_black_pixels_are_no_evidence(model: nn.Module) -> None:
    x = images(4, 3, 12, 12).clamp(min=-0.5)
    dark = (x == -0.5).all(dim=1)
    maps = integrated_gradients(model, x)
    assert dark.any() and not maps[dark].any() and maps[~dark].any()


def test_mistakes_are_named() -> None:
    with pytest.raises(UserError, match=r"got torch\.float32 of shape \(4, 3\)"):
        integrated_gradients(Squares(), torch.zeros(4, 3))
    with pytest.raises(UserError, match=r"of real numbers .*, got torch\.uint8"):
        integrated_gradients(Squares(), torch.zeros(1, 1, 2, 2, dtype=torch.uint8))
    with pytest.raises(UserError, match="at least 1, got steps=0"):
        integrated_gradients(Squares(), torch.zeros(1, 1, 2, 2), steps=0)
