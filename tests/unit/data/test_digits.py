"""The digits data module on scikit-learn's real data."""

from typing import Any

import numpy as np
import torch

from lightning_hpo.data.digits import DigitsDataModule


def ready(**options: Any) -> DigitsDataModule:
    data = DigitsDataModule(**options)
    data.setup("test")
    return data


def test_sizes_classes_and_scale() -> None:
    data = ready()
    assert (data.name, data.input_shape, data.num_classes) == ("digits", (1, 8, 8), 10)
    assert data.classes == tuple("0123456789")
    assert len(data.train_indices) + len(data.val_indices) == 1437
    x, y = data.raw("test")
    assert x.shape == (360, 1, 8, 8)
    assert (x.dtype, int(x.min()), int(x.max())) == (torch.uint8, 0, 16)
    assert y.bincount().tolist() == [36, 36, 35, 37, 36, 37, 36, 36, 35, 36]


def test_the_test_set_is_fixed_and_disjoint_from_the_training_data() -> None:
    first, second = ready(seed=0), ready(seed=1)
    assert first.sha256 == second.sha256
    assert torch.equal(first.raw("test")[0], second.raw("test")[0])
    arrays = first.load()
    every = np.concatenate((arrays.train_x, arrays.test_x)).reshape(1797, -1)
    assert len(np.unique(every, axis=0)) == 1797


def test_classes_keep_their_proportions_in_every_split() -> None:
    data = ready(train_limit=500)
    for stage in ("train", "val"):
        counts = data.raw(stage)[1].bincount(minlength=10)
        assert counts.max() - counts.min() <= 3
