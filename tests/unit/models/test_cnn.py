"""Rules of CNNClassifier: shapes, parameter counts, reproducibility, arguments."""

import pytest
import torch
from torch import nn

from lightning_hpo.errors import UserError
from lightning_hpo.models.cnn import CNNClassifier


@pytest.mark.parametrize(
    ("input_shape", "num_classes"),
    [((1, 28, 28), 10), ((1, 8, 8), 10), ((3, 32, 20), 4), ((2, 5, 7), 2), ((1, 4, 4), 3)],
)
def test_logits_have_one_column_per_class(
    input_shape: tuple[int, int, int], num_classes: int
) -> None:
    model = CNNClassifier(input_shape=input_shape, num_classes=num_classes)
    assert model(torch.randn(6, *input_shape)).shape == (6, num_classes)


def test_parameter_count() -> None:
    # conv 320 + 18,496; dense 64 * 7 * 7 * 128 + 128 = 401,536, 8,256 and 650.
    model = CNNClassifier()
    assert sum(p.numel() for p in model.parameters()) == 429_258


def test_parameter_count_of_the_reference_optimum() -> None:
    # conv 54 * 9 + 54 = 540 and 50 * 54 * 9 + 50 = 24,350; dense 196,080, 3,240 and 410.
    model = CNNClassifier(filters_1=54, filters_2=50, neurons_1=80, neurons_2=40)
    assert sum(p.numel() for p in model.parameters()) == 224_620


@pytest.mark.parametrize("kernel_size", [1, 3, 5, 8])
@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
def test_every_filter_size_keeps_the_image_size(kernel_size: int) -> None:
    model = CNNClassifier(input_shape=(1, 8, 8), filters_2=7, kernel_size=kernel_size)
    assert model.features(torch.randn(2, 1, 8, 8)).shape == (2, 7, 2, 2)


def test_pooling_before_relu_changes_neither_output_nor_gradient() -> None:
    torch.manual_seed(0)
    model = CNNClassifier(input_shape=(2, 9, 9), filters_1=4, filters_2=5)
    conv_1, pool, relu, conv_2, _, _ = model.features
    usual = nn.Sequential(conv_1, relu, pool, conv_2, relu, pool, model.classifier)
    x = torch.randn(8, 2, 9, 9)
    parameters = list(model.parameters())
    ours, theirs = model(x), usual(x)
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(
        torch.autograd.grad(ours.square().sum(), parameters),
        torch.autograd.grad(theirs.square().sum(), parameters),
    )


def test_the_same_seed_gives_the_same_logits() -> None:
    x = torch.randn(4, 1, 28, 28)
    logits = []
    for seed in (3, 3, 4):
        torch.manual_seed(seed)
        logits.append(CNNClassifier().eval()(x))
    assert torch.equal(logits[0], logits[1])
    assert not torch.equal(logits[0], logits[2])


def test_dropout_acts_in_training_only() -> None:
    model = CNNClassifier(input_shape=(1, 8, 8), dropout=0.5)
    x = torch.randn(16, 1, 8, 8)
    assert not torch.equal(model(x), model(x))
    model.eval()
    assert torch.equal(model(x), model(x))


def test_conv_layers_are_named_in_order() -> None:
    model = CNNClassifier(filters_1=5, filters_2=6)
    assert [(name, layer.out_channels) for name, layer in model.conv_layers] == [
        ("features.0", 5),
        ("features.3", 6),
    ]
    assert model.get_submodule("features.3") is model.conv_layers[1][1]


def test_batch_norm_sits_after_pooling_and_takes_over_the_bias() -> None:
    model = CNNClassifier(input_shape=(1, 8, 8), batch_norm=True)
    names = [type(layer).__name__ for layer in (*model.features, *model.classifier)]
    assert names[:4] == ["Conv2d", "MaxPool2d", "BatchNorm2d", "ReLU"] == names[4:8]
    assert names[8:] == ["Flatten", *["Linear", "BatchNorm1d", "ReLU", "Dropout"] * 2, "Linear"]
    # Two numbers for each channel and neuron in place of one bias.
    plain = sum(p.numel() for p in CNNClassifier(input_shape=(1, 8, 8)).parameters())
    assert sum(p.numel() for p in model.parameters()) - plain == 32 + 64 + 128 + 64
    assert [name for name, _ in model.conv_layers] == ["features.0", "features.4"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"dropout": 1.5}, r"dropout must lie in \[0, 1\), got dropout=1\.5\."),
        ({"dropout": 1}, r"dropout must lie in \[0, 1\), got dropout=1\."),
        ({"dropout": float("nan")}, r"dropout must lie in \[0, 1\), got dropout=nan\."),
        ({"filters_1": 0}, r"filters_1 must be an integer of at least 1, got filters_1=0\."),
        ({"filters_2": 2.5}, r"filters_2 must be an integer of at least 1, got filters_2=2\.5\."),
        ({"neurons_1": -1}, "neurons_1 must be an integer of at least 1"),
        ({"neurons_2": "x"}, "neurons_2 must be an integer of at least 1"),
        ({"kernel_size": 0}, "kernel_size must be an integer of at least 1"),
        (
            {"kernel_size": 29},
            r"kernel_size must lie in \[1, 28\] for images of 28 x 28 pixels, got kernel_size=29",
        ),
        ({"input_shape": (1, 3, 28)}, "at least 4 x 4 pixels, got 3 x 28"),
        ({"input_shape": (28, 28)}, r"three positive integers .* got input_shape=\[28, 28\]"),
        ({"input_shape": (1, 0, 28)}, "three positive integers"),
        ({"init": "he"}, "init must be one of kaiming, xavier, default, got init='he'"),
        ({"num_classes": 1}, "num_classes must be an integer of at least 2, got num_classes=1"),
        ({"label_smoothing": 1.0}, r"label_smoothing must lie in \[0, 1\)"),
    ],
)
def test_a_wrong_argument_is_named_with_its_rule(arguments: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        CNNClassifier(**arguments)
