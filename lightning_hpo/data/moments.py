"""Mean and standard deviation of each channel, by which samples are normalised."""

from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor

_CHUNK = 1024


def moments(x: Tensor, index: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and (population) standard deviation per channel of ``x[index]``, each (C,) float32.

    Computed in float64 on the host; bytes are counted where they are, which is exact. A channel
    that never varies gets the standard deviation 1, so that it normalises to 0.
    """
    if x.dtype == torch.uint8:
        # One thread counts, so several do; the sum of whole numbers has no order.
        with ThreadPoolExecutor(torch.get_num_threads() if x.device.type == "cpu" else 1) as pool:
            counts = sum(pool.map(lambda chunk: _byte_counts(x[chunk]), index.split(_CHUNK)))
        assert isinstance(counts, Tensor), "no training samples"
        values = torch.arange(256, dtype=torch.float64)
        share = counts.cpu().double() / counts[0].sum().item()
        mean = share @ values
        variance = (share * (values - mean[:, None]) ** 2).sum(1)
    else:
        flat = x[index].cpu().double().transpose(0, 1).flatten(1)
        mean, variance = flat.mean(1), flat.var(1, correction=0)
    std = torch.where(variance > 0, variance.sqrt(), 1.0)
    return mean.float(), std.float()


def _byte_counts(x: Tensor) -> Tensor:
    """Occurrences of each byte value per channel, (C, 256)."""
    channels = x.transpose(0, 1).flatten(1)
    return torch.stack([torch.bincount(channel, minlength=256) for channel in channels])
