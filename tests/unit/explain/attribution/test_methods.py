"""Rules of Grad-CAM: the mathematics, and that it leaves no trace."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import torch
from torch import Tensor, nn

from lightning_hpo.errors import UserError
from lightning_hpo.explain.attribution import (
    feature_maps,
    grad_cam,
    grad_cam_place,
    last_conv,
    last_hidden_activations,
    layer_feature_maps,
)
from lightning_hpo.flavour import pl
from lightning_hpo.models.cnn import CNNClassifier
from lightning_hpo.models.fc import FCClassifier


class Weighted(nn.Module):
    """conv: identity on two channels; logits: fixed weights on the sum of each channel."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 2, 1, bias=False)
        self.conv.weight.data = torch.eye(2).reshape(2, 2, 1, 1)
        self.register_buffer("weights", torch.tensor([[1.0, 0.0], [1.0, -2.0]]))

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x).sum(dim=(2, 3)) @ self.weights.T


def test_a_map_by_hand() -> None:
    # Channel 0 holds 0..3, channel 1 holds 4..7. The gradient of logit 1 is 1 for every pixel of
    # channel 0 and -2 for channel 1, so the map is (0..3) - 2 * (4..7).
    images = torch.arange(8.0).reshape(1, 2, 2, 2)
    signed = torch.tensor([[[-8.0, -9.0], [-10.0, -11.0]]])
    assert torch.equal(grad_cam(Weighted(), "conv", images, 1, rectified=False), signed)
    assert torch.equal(grad_cam(Weighted(), "conv", images, 1), torch.zeros(1, 2, 2))
    assert torch.equal(grad_cam(Weighted(), "conv", images, 0), images[:, 0])


def test_without_a_target_the_predicted_class_is_explained() -> None:
    images = torch.arange(8.0).reshape(1, 2, 2, 2)  # logits 6 and 6 - 2 * 22: class 0
    assert torch.equal(grad_cam(Weighted(), "conv", images), images[:, 0])


def test_each_image_may_have_its_own_target() -> None:
    images = torch.arange(8.0).reshape(1, 2, 2, 2).repeat(2, 1, 1, 1)
    maps = grad_cam(Weighted(), "conv", images, torch.tensor([0, 1]), rectified=False)
    assert torch.equal(maps[0], torch.tensor([[0.0, 1.0], [2.0, 3.0]]))
    assert torch.equal(maps[1], torch.tensor([[-8.0, -9.0], [-10.0, -11.0]]))


@pytest.mark.parametrize("rectified", [True, False])
@pytest.mark.parametrize("layer", ["features.0", "features.3"])
@pytest.mark.filterwarnings("ignore")  # captum's own
def test_equals_captum(
    model: CNNClassifier, images: Tensor, layer: str, *, rectified: bool
) -> None:
    captum_attr = pytest.importorskip("captum.attr")
    model.eval()
    target = model(images).argmax(1)
    captum_map = captum_attr.LayerGradCam(model, model.get_submodule(layer)).attribute(
        images, target, relu_attributions=rectified
    )
    ours = grad_cam(model, layer, images, rectified=rectified)
    assert ours.abs().max() > 0
    torch.testing.assert_close(ours, captum_map[:, 0].detach())


# Rule: unless a layer is named, the map is captum's at the activation behind the last convolution.
@pytest.mark.parametrize("rectified", [True, False])
@pytest.mark.parametrize(
    ("batch_norm", "activation"), [(False, "features.5"), (True, "features.7")]
)
@pytest.mark.filterwarnings("ignore")  # captum's own
def test_equals_captum_at_the_activation(
    images: Tensor, activation: str, *, batch_norm: bool, rectified: bool
) -> None:
    captum_attr = pytest.importorskip("captum.attr")
    torch.manual_seed(0)
    model = CNNClassifier(input_shape=(1, 12, 12), num_classes=5, batch_norm=batch_norm)
    model.train()(images + 1)  # statistics of its own in the normalisations
    model.eval()
    target = torch.arange(7) % 5
    captum_map = captum_attr.LayerGradCam(model, model.get_submodule(activation)).attribute(
        images, target, relu_attributions=rectified
    )
    ours = grad_cam(model, None, images, target, rectified=rectified)
    assert ours.abs().max() > 0
    torch.testing.assert_close(ours, captum_map[:, 0].detach())


@pytest.mark.filterwarnings("ignore")  # captum's own
def test_equals_captum_at_the_convolution_that_no_activation_follows(images: Tensor) -> None:
    captum_attr = pytest.importorskip("captum.attr")
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.AdaptiveAvgPool2d(2), nn.Flatten())
    captum_map = captum_attr.LayerGradCam(model, model[0]).attribute(images, 3)
    torch.testing.assert_close(
        grad_cam(model, None, images, 3, rectified=False), captum_map[:, 0].detach()
    )


class Functional(nn.Module):
    """The same network with its activation as a module or as a function, in place or not."""

    def __init__(self, activation: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.norm, self.head = nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Linear(4, 5)
        self.activation = activation

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.activation(self.norm(self.conv(x))).mean(dim=(2, 3)))


def for_its_effect(x: Tensor) -> Tensor:
    nn.functional.relu_(x)
    return x


@pytest.mark.parametrize(
    "written", [nn.ReLU(inplace=True), torch.relu, torch.relu_, for_its_effect]
)
def test_how_an_activation_is_written_does_not_matter(
    images: Tensor, written: Callable[[Tensor], Tensor]
) -> None:
    expected = grad_cam(Functional(nn.ReLU()), None, images, 2)
    assert expected.abs().max() > 0
    assert torch.equal(grad_cam(Functional(written), None, images, 2), expected)


def doubled_in_place(x: Tensor) -> Tensor:
    x = nn.functional.gelu(x)
    x *= 2
    return x


def test_what_is_written_into_an_activation_comes_after_it(images: Tensor) -> None:
    expected = grad_cam(Functional(lambda x: 2 * nn.functional.gelu(x)), None, images, 2)
    assert expected.abs().max() > 0
    assert torch.equal(grad_cam(Functional(doubled_in_place), None, images, 2), expected)


def test_what_figures_say_of_the_place(model: CNNClassifier, images: Tensor) -> None:
    assert grad_cam_place(model, images) == "at the relu behind features.3"
    assert grad_cam_place(model, images, layer="features.0") == "at features.0 itself"
    bare = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten())
    assert grad_cam_place(bare, images) == "at 0 itself, no activation seen behind it"


def test_a_batch_gives_what_single_images_give(model: CNNClassifier, images: Tensor) -> None:
    batch = grad_cam(model, "features.3", images)
    singles = torch.cat([grad_cam(model, "features.3", image[None]) for image in images])
    torch.testing.assert_close(batch, singles)


def test_size_resizes_bilinearly(model: CNNClassifier, images: Tensor) -> None:
    maps = grad_cam(model, "features.3", images)
    assert maps.shape == (7, 6, 6)
    resized = grad_cam(model, "features.3", images, size=(12, 12))
    assert resized.shape == (7, 12, 12)
    torch.testing.assert_close(
        resized, nn.functional.interpolate(maps[:, None], (12, 12), mode="bilinear")[:, 0]
    )


@contextmanager
def nothing_changes(model: nn.Module) -> Iterator[None]:
    """Modes, weights, requires_grad, .grad, hooks and random state are the same afterwards."""

    def state() -> tuple:
        return (
            [module.training for module in model.modules()],
            [p.requires_grad for p in model.parameters()],
            [None if p.grad is None else p.grad.clone() for p in model.parameters()],
            [tensor.clone() for tensor in model.state_dict().values()],
            [
                len(m._forward_hooks) + len(m._forward_pre_hooks) + len(m._backward_hooks)
                for m in model.modules()
            ],
            torch.get_rng_state(),
            torch.is_grad_enabled(),
        )

    before = state()
    yield
    for old, new in zip(before, state(), strict=True):
        torch.testing.assert_close(new, old, rtol=0, atol=0)


class Noisy(pl.LightningModule):
    """A user's own module: batch normalisation, in-place ReLU, and noise even in eval mode."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU(inplace=True))
        self.head = nn.Linear(3, 4)

    def forward(self, x: Tensor) -> Tensor:
        features = self.body(x)
        features = features + 0.1 * torch.randn_like(features)
        return self.head(features.mean(dim=(2, 3)))


def test_nothing_changes_after_success(images: Tensor) -> None:
    model = Noisy()
    model.train()
    model.body[1].eval()  # a mixture of modes, one frozen weight, one gradient at work
    model.head.bias.requires_grad_(False)
    model.head.weight.grad = torch.ones_like(model.head.weight)
    with nothing_changes(model):
        assert grad_cam(model, None, images).shape == (7, 10, 10)
    for layer in ("body.0", "body.1", "body"):
        with nothing_changes(model):
            assert grad_cam(model, layer, images).shape == (7, 10, 10)
        with nothing_changes(model):
            feature_maps(model, layer, images)
    for function in (layer_feature_maps, last_hidden_activations):
        with nothing_changes(model):
            function(model, images)


@pytest.mark.parametrize("function", [grad_cam, feature_maps])
def test_nothing_changes_after_an_exception(model: CNNClassifier, function) -> None:
    model.train()
    nine_channels = torch.randn(2, 9, 12, 12)
    with nothing_changes(model), pytest.raises(RuntimeError):
        function(model, "features.3", nine_channels)


@pytest.mark.parametrize("function", [layer_feature_maps, last_hidden_activations])
def test_nothing_changes_after_an_exception_in_any_layer(model: CNNClassifier, function) -> None:
    model.train()
    nine_channels = torch.randn(2, 9, 12, 12)
    with nothing_changes(model), pytest.raises(RuntimeError):
        function(model, nine_channels)


def test_an_in_place_relu_does_not_spoil_the_recorded_activation(images: Tensor) -> None:
    model = Noisy().eval()
    assert feature_maps(model, "body.1", images).min() < 0
    torch.manual_seed(3)
    in_place = grad_cam(model, "body.1", images, rectified=False)
    model.body[2] = nn.ReLU()
    torch.manual_seed(3)
    torch.testing.assert_close(grad_cam(model, "body.1", images, rectified=False), in_place)


@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode])
def test_callers_may_have_switched_gradients_off(
    model: CNNClassifier, images: Tensor, context
) -> None:
    expected = grad_cam(model, "features.3", images)
    with context():
        maps = grad_cam(model, "features.3", images.clone())
    assert torch.equal(maps, expected)
    assert not maps.requires_grad


def test_train_mode_gives_what_eval_mode_gives(images: Tensor) -> None:
    model = CNNClassifier(input_shape=(1, 12, 12), dropout=0.9)
    trained = grad_cam(model.train(), "features.3", images)
    assert torch.equal(grad_cam(model.eval(), "features.3", images), trained)


def test_frozen_weights_do_not_matter(model: CNNClassifier, images: Tensor) -> None:
    expected = grad_cam(model, "features.3", images)
    model.requires_grad_(False)
    torch.testing.assert_close(grad_cam(model, "features.3", images), expected)


def test_a_layer_may_be_given_as_a_module(model: CNNClassifier, images: Tensor) -> None:
    layer = model.features[3]
    assert torch.equal(grad_cam(model, layer, images), grad_cam(model, "features.3", images))


class Shared(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 1, 1)
        self.unused = nn.Conv2d(1, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(self.conv(x)).flatten(1)


def test_mistakes_are_named(model: CNNClassifier, images: Tensor) -> None:
    with pytest.raises(UserError, match=r"got layer='features\.9'; available: .*features\.3"):
        grad_cam(model, "features.9", images)
    with pytest.raises(UserError, match="layer must be part of CNNClassifier, got layer=Conv2d"):
        grad_cam(model, nn.Conv2d(1, 1, 1), images)
    with pytest.raises(UserError, match=r"shape \(7, 64\) from layer='classifier\.5'"):
        grad_cam(model, "classifier.5", images)
    with pytest.raises(UserError, match=r"target must lie in \[0, 4\], got target=5"):
        grad_cam(model, "features.3", images, 5)
    with pytest.raises(UserError, match="ran 2 times"):
        grad_cam(Shared(), "conv", images)
    with pytest.raises(UserError, match="ran 0 times"):
        feature_maps(Shared(), "unused", images)
    with pytest.raises(UserError, match="convolutional layer, and FCClassifier has none"):
        last_conv(FCClassifier())
    with pytest.raises(UserError, match="Feature maps need a convolutional layer, and FCClass"):
        layer_feature_maps(FCClassifier(), images)
