"""Rules of FCClassifier: shapes, parameter counts, dropout, arguments."""

import pytest
import torch

from lightning_hpo.errors import UserError
from lightning_hpo.models.fc import FCClassifier


@pytest.mark.parametrize("input_shape", [(1, 28, 28), (1, 8, 8), (3, 5, 7)])
def test_logits_have_one_column_per_class(input_shape: tuple[int, int, int]) -> None:
    model = FCClassifier(input_shape=input_shape, num_classes=4)
    assert model(torch.randn(6, *input_shape)).shape == (6, 4)


def test_parameter_count() -> None:
    # 784 * 256 + 256 = 200,960; 256 * 128 + 128 = 32,896; 128 * 10 + 10 = 1,290.
    assert sum(p.numel() for p in FCClassifier().parameters()) == 235_146


def test_dropout_acts_in_training_only() -> None:
    model = FCClassifier(input_shape=(1, 8, 8), dropout=0.5)
    x = torch.randn(16, 1, 8, 8)
    assert not torch.equal(model(x), model(x))
    model.eval()
    assert torch.equal(model(x), model(x))


def test_initialisation_reaches_every_layer() -> None:
    model = FCClassifier(init="xavier")
    assert not any(p.any() for name, p in model.named_parameters() if name.endswith("bias"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"neurons_1": 0}, "neurons_1 must be an integer of at least 1, got neurons_1=0"),
        ({"neurons_2": 1.5}, "neurons_2 must be an integer of at least 1"),
        ({"dropout": -0.1}, r"dropout must lie in \[0, 1\), got dropout=-0\.1"),
        ({"init": "zeros"}, "init must be one of kaiming, xavier, default"),
    ],
)
def test_a_wrong_argument_is_named_with_its_rule(arguments: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        FCClassifier(**arguments)
