"""A network of torchvision's by name takes the data's channels, pixels and classes."""

from pathlib import Path

import pytest
import torch
import torchvision
from torch import nn

from lightning_hpo.errors import UserError
from lightning_hpo.models.torchvision_classifier import TorchvisionClassifier


@pytest.mark.parametrize(
    ("architecture", "shape"),
    [
        ("resnet18", (1, 28, 28)),
        ("mobilenet_v3_small", (1, 64, 64)),
        ("squeezenet1_1", (4, 64, 64)),
    ],
)
def test_any_architecture_maps_the_datas_images_to_its_classes(
    architecture: str, shape: tuple[int, int, int]
) -> None:
    model = TorchvisionClassifier(architecture=architecture, input_shape=shape, num_classes=7)
    assert model.eval()(torch.randn(2, *shape)).shape == (2, 7)


def test_a_small_image_keeps_its_pixels_in_a_residual_network() -> None:
    model = TorchvisionClassifier(input_shape=(1, 28, 28)).eval()
    sizes = []
    model.network.layer1.register_forward_hook(lambda m, args, out: sizes.append(out.shape[-2:]))
    model(torch.randn(1, 1, 28, 28))
    assert sizes == [(28, 28)]
    # 64 pixels are large: a 7 x 7 convolution with stride 2 and pooling leave a quarter.
    model = TorchvisionClassifier(input_shape=(3, 64, 64)).eval()
    model.network.layer1.register_forward_hook(lambda m, args, out: sizes.append(out.shape[-2:]))
    model(torch.randn(1, 3, 64, 64))
    assert sizes[1] == (16, 16)


def test_weights_of_a_file_are_taken_but_for_the_classes(tmp_path: Path) -> None:
    torch.manual_seed(1)
    others = torchvision.models.resnet18(num_classes=5)
    torch.save(others.state_dict(), tmp_path / "weights.pt")
    options = {"input_shape": (3, 64, 64), "num_classes": 3}
    model = TorchvisionClassifier(weights=str(tmp_path / "weights.pt"), **options)  # type: ignore[arg-type]
    torch.testing.assert_close(model.network.layer4[1].conv2.weight, others.layer4[1].conv2.weight)
    torch.testing.assert_close(model.network.conv1.weight, others.conv1.weight)
    assert model.network.fc.out_features == 3
    # A checkpoint opens without the file.
    assert model.hparams["weights"] is None


def test_what_is_no_architecture_and_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"got 'resnet81'.*Did you mean 'resnet18'"):
        TorchvisionClassifier(architecture="resnet81")
    with pytest.raises(UserError, match="No such file or directory"):
        TorchvisionClassifier(weights=str(tmp_path / "none.pt"))
    torch.save(nn.Linear(1, 1).state_dict(), tmp_path / "other.pt")
    with pytest.raises(UserError, match=r"must be those of resnet18, but .* has other layers"):
        TorchvisionClassifier(weights=str(tmp_path / "other.pt"))
