"""A small network and images for it."""

import pytest
import torch
from torch import Tensor

from lightning_hpo.models.cnn import CNNClassifier


@pytest.fixture
def model() -> CNNClassifier:
    torch.manual_seed(0)
    return CNNClassifier(input_shape=(1, 12, 12), filters_1=4, filters_2=6, num_classes=5)


@pytest.fixture
def images() -> Tensor:
    return torch.randn(7, 1, 12, 12, generator=torch.Generator().manual_seed(1))
