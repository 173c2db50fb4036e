"""What is exported: stored samples in, probabilities or values out, one module for all of it."""

from typing import Any

import torch
from torch import Tensor, nn

from lightning_hpo.data.base import TensorDataModule
from lightning_hpo.jobs.predictor import Given, Predictor
from lightning_hpo.models.base import as_evaluated


class Graph(nn.Module):
    """A network between its preprocessing and its softmax.

    Args:
        network: as it is evaluated, so perhaps by the mean of an image and its mirror image.
        preprocessing: from stored samples to what the network takes; None: they are the same.
        given: what the network gives.
        temperature: by which logits are divided.

    Of samples (N, C, ...) it gives probabilities (N, K) or values (N,), float32.
    """

    def __init__(
        self,
        network: nn.Module,
        preprocessing: nn.Module | None,
        *,
        given: Given,
        temperature: float = 1.0,
    ) -> None:
        super().__init__()
        self.network = network
        self.preprocessing = preprocessing
        self.given = given
        self.temperature = temperature
        # Such as of a network that was trained in bfloat16.
        self.precision = next(
            (p.dtype for p in network.parameters() if p.is_floating_point()), None
        )
        self.eval()

    def forward(self, samples: Tensor) -> Tensor:
        x = samples if self.preprocessing is None else self.preprocessing(samples)
        if x.is_floating_point() and self.precision not in (None, x.dtype):
            x = x.to(self.precision)
        outputs = as_evaluated(self.network)(x).float()
        if self.given == "values":
            return outputs.reshape(-1)
        return outputs if self.given == "probabilities" else (outputs / self.temperature).softmax(1)


def graph_of(predictor: Predictor, x: Tensor) -> Graph:
    """Of a predictor on the CPU; ``x``: samples by which it is known what its network gives."""
    given = predictor.given(x, "the samples of the check")
    preprocessing = None if predictor.data is None else _preprocessing(predictor.data)
    # Weights of its own, which share no memory: a format may store all that lies behind a tensor.
    graph = Graph(
        predictor.module, preprocessing, given=given, temperature=predictor.temperature
    ).requires_grad_(False)
    for tensor in (*graph.parameters(), *graph.buffers()):
        tensor.data = tensor.data.clone(memory_format=torch.contiguous_format)
    return graph


class _Function(nn.Module):
    """A data module's own ``normalised``, where it has no module for it."""

    def __init__(self, of: Any) -> None:
        super().__init__()
        self.of = of

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.of(x)
        return found


def _preprocessing(data: TensorDataModule) -> nn.Module | None:
    kind = type(data)
    own = kind.normalised is not TensorDataModule.normalised
    if own and kind.preprocessing is TensorDataModule.preprocessing:
        return _Function(data.normalised)
    return data.preprocessing()
