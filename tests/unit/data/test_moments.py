"""Mean and standard deviation of each channel: exact, also where a channel never varies."""

import numpy as np
import torch

from lightning_hpo.data.moments import moments


def test_moments_are_exact_per_channel_for_bytes_and_for_floats() -> None:
    generator = np.random.default_rng(0)
    x = torch.from_numpy(generator.integers(0, 256, (9000, 3, 2, 2), np.uint8))
    index = torch.arange(0, 9000, 2)
    for data in (x, x.float() + 1e6):
        mean, std = moments(data, index)
        expected = data[index].double().numpy()
        np.testing.assert_allclose(mean, expected.mean((0, 2, 3)), rtol=1e-6)
        np.testing.assert_allclose(std, expected.std((0, 2, 3)), rtol=1e-6)


def test_a_channel_that_never_varies_normalises_to_zero() -> None:
    x = torch.full((5, 2, 2, 2), 7, dtype=torch.uint8)
    mean, std = moments(x, torch.arange(5))
    assert mean.tolist() == [7, 7]
    assert std.tolist() == [1, 1]
