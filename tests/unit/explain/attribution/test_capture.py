"""Looking into a network while it runs."""

from torch import Tensor

from lightning_hpo.explain.attribution import (
    capture_activations,
)
from lightning_hpo.models.cnn import CNNClassifier


def test_captured_once_per_forward_pass(model: CNNClassifier, images: Tensor) -> None:
    with capture_activations(model, "features.0") as captured:
        model(images[:2])
        model(images[:3])
    assert [len(activation) for activation in captured] == [2, 3]
    model(images)
    assert len(captured) == 2
