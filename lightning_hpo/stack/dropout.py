"""Dropout with a random stream of its own for each network, on any device.

A counter-based generator: each decision is a hash of (the network's seed, epoch, layer, sample,
unit) and of nothing else, so what a network drops depends neither on its neighbours nor on their
widths, and a CPU draws what a GPU draws.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

_SAMPLE_STRIDE = 1 << 15  # a pair of units has its own counter below it


class DropoutStreams:
    """Masks (S, N, W) for each hidden layer: 0 with the network's probability, else 1 / (1 - p).

    ``seeds``, ``probabilities``: one for each network. ``widths``: of the hidden layers. A
    probability is met to within 2^-17, and the mask scaled by what is really kept.
    """

    def __init__(
        self,
        seeds: Sequence[int],
        probabilities: Sequence[float],
        *,
        n_samples: int,
        widths: Sequence[int],
        device: torch.device,
    ) -> None:
        self._seeds = torch.tensor(seeds, dtype=torch.int64, device=device)
        dropped = torch.tensor(probabilities, dtype=torch.float64).mul(1 << 16).round()
        self.active = bool((dropped > 0).any())
        self._threshold = (dropped - (1 << 15)).to(torch.int16).view(-1, 1, 1).to(device)
        self._scale = (1 / (1 - dropped / (1 << 16))).float().view(-1, 1, 1).to(device)
        rows = torch.arange(n_samples, dtype=torch.int32, device=device)[:, None] * _SAMPLE_STRIDE
        pairs = [torch.arange((w + 1) // 2, dtype=torch.int32, device=device) for w in widths]
        self._counters = [rows + pair for pair in pairs]
        self._widths = tuple(widths)

    def keep(self, rows: Tensor) -> None:
        """Drop all networks but ``rows``."""
        self._seeds = self._seeds[rows]
        self._threshold, self._scale = self._threshold[rows], self._scale[rows]

    def masks(self, epoch: int) -> list[Tensor] | None:
        """The masks of one epoch; None when no network drops anything."""
        if not self.active:
            return None
        return [
            self._mask(_key(self._seeds, epoch, layer), counters, width)
            for layer, (counters, width) in enumerate(
                zip(self._counters, self._widths, strict=True)
            )
        ]

    def _mask(self, key_s: Tensor, counters: Tensor, width: int) -> Tensor:
        # 32 random bits are two decisions.
        bits = _hash(counters, key_s.view(-1, 1, 1)).view(torch.int16)[..., :width]
        return (bits >= self._threshold) * self._scale


def _key(seeds: Tensor, epoch: int, layer: int) -> Tensor:
    """A key (S,) int64 for each network, all of whose bits depend on everything (splitmix64)."""
    # Products wrap around.
    step = torch.tensor(epoch * 64 + layer + 1, device=seeds.device) * 0x1E3779B97F4A7C15
    key = seeds * 0x5851F42D4C957F2D + step
    key = (key ^ _shifted(key, 30, 34)) * -0x40A7B892E31B1A47
    key = (key ^ _shifted(key, 27, 37)) * -0x6B2FB644ECCEEE15
    return key ^ _shifted(key, 31, 33)


def _hash(counter: Tensor, key_s11: Tensor) -> Tensor:
    """32 random bits, int32, for each counter under each key.

    The mixing is Wellons' lowbias32 (2018, "Prospecting for hash functions"), with one half of the
    key before the first and the other half before the second multiplication.
    """
    x = counter ^ key_s11.to(torch.int32)
    x = (x ^ _shifted(x, 16, 16)) * 0x7FEB352D
    x = x + (key_s11 >> 32).to(torch.int32)
    x = (x ^ _shifted(x, 15, 17)) * -0x7B935975
    return x ^ _shifted(x, 16, 16)


def _shifted(x: Tensor, right: int, bits: int) -> Tensor:
    # Shifts of signed integers repeat the sign; the mask keeps the ``bits`` that are shifted in.
    return (x >> right) & ((1 << bits) - 1)
