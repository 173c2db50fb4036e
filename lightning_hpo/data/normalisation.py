"""What stands between stored samples and the network: their mean and deviation taken out."""

from torch import Tensor, nn


def normalised(x: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """Samples (N, C, ...) by mean and standard deviation (C,) of each channel, float32."""
    shape = (-1,) + (1,) * (x.ndim - 2)
    return (x - mean.view(shape)) / std.view(shape)


class Normalisation(nn.Module):
    """:func:`normalised` as a module with buffers, such as a graph holds that is exported."""

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Tensor, std: Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", mean.detach().clone())
        self.register_buffer("std", std.detach().clone())

    def forward(self, x: Tensor) -> Tensor:
        return normalised(x, self.mean, self.std)
