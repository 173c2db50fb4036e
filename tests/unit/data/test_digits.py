"""The digits data module on scikit-learn's real data."""

from typing import Any

import numpy as np
import pytest
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


# Rule: fits that share a process read the data once, and each has its own view of them.
def test_fits_in_one_process_share_the_data(monkeypatch: pytest.MonkeyPatch) -> None:
    first = ready(seed=0).raw("test")[0].clone()

    def read() -> None:
        raise AssertionError("the data were read again")

    monkeypatch.setattr("lightning_hpo.data.digits.load_digits", read)
    limited = ready(seed=1, train_limit=100)
    assert len(limited.train_indices) + len(limited.val_indices) == 100
    assert torch.equal(limited.raw("test")[0], first)


def test_classes_keep_their_proportions_in_every_split() -> None:
    data = ready(train_limit=500)
    for stage in ("train", "val"):
        counts = data.raw(stage)[1].bincount(minlength=10)
        assert counts.max() - counts.min() <= 3
