"""Test batches, by their shapes: what is missing is refused, what differs is said."""

from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from lightning_hpo.data.digits import DigitsDataModule
from lightning_hpo.errors import UserError
from lightning_hpo.flavour import pl
from lightning_hpo.jobs.tested_shapes import check_test_batches, shapes


class Evaluated(pl.LightningModule):
    def test_step(self, batch: Any, batch_idx: int) -> None:
        raise AssertionError("no network may see the test data")


class Data(pl.LightningDataModule):
    """Loaders over (x, y); those of the test as they are given."""

    def __init__(self, test: Any, *, val_width: int = 3) -> None:
        super().__init__()
        self.test, self.val_width, self.stages = test, val_width, []

    def setup(self, stage: str) -> None:
        self.stages.append(stage)

    def train_dataloader(self) -> Any:
        return loader(3)

    def val_dataloader(self) -> Any:
        return [loader(self.val_width)]

    def test_dataloader(self) -> Any:
        return self.test() if callable(self.test) else self.test


def loader(width: int, dtype: torch.dtype = torch.float32) -> Any:
    data = TensorDataset(torch.zeros(5, width, dtype=dtype), torch.zeros(5, dtype=torch.int64))
    return DataLoader(data, batch_size=2)


@pytest.mark.parametrize(
    "test", [loader(3), [loader(3), loader(3)], {"a": loader(3)}, None, [], lambda: loader(3)]
)
def test_batches_like_the_others_pass(test) -> None:
    data = Data(test)
    assert check_test_batches(Evaluated(), data) is None
    assert data.stages == ["test"]


@pytest.mark.parametrize(
    ("test", "expected"),
    [
        (loader(4), "batch[0] is float32 (4,), not float32 (3,)"),
        (loader(3, torch.float64), "batch[0] is float64 (3,), not float32 (3,)"),
        ([loader(3), loader(2)], "batch[0] is float32 (2,), not float32 (3,)"),
        (DataLoader(torch.zeros(4, 3)), "batch[0] is missing, not float32 (3,)"),
    ],
)
def test_what_differs_is_said(test, expected) -> None:
    found = check_test_batches(Evaluated(), Data(test))
    assert found == f"test batches differ from the others: {expected}"


# Rule: what training and validation do not share, such as the length of a text, decides nothing.
def test_what_differs_between_training_and_validation_is_not_compared() -> None:
    assert check_test_batches(Evaluated(), Data(loader(7), val_width=5)) is None


def missing() -> Any:
    raise FileNotFoundError("test.csv")


def test_test_data_that_are_missing_are_refused() -> None:
    with pytest.raises(UserError, match=r"FileNotFoundError: test.csv; .*study.final=false"):
        check_test_batches(Evaluated(), Data(missing))


def test_without_a_test_and_in_data_of_ours_nothing_is_opened() -> None:
    data = Data(missing)
    assert check_test_batches(pl.LightningModule(), data) is None
    ours = DigitsDataModule(train_limit=50)
    assert check_test_batches(Evaluated(), ours) is None
    assert data.stages == []


def test_the_parts_of_a_batch() -> None:
    batch = {"image": torch.zeros(2, 1, 8), "tokens": [np.zeros((2, 5), np.int64)], "n": 3}
    assert shapes(batch) == {
        "batch[image]": "float32 (1, 8)",
        "batch[tokens][0]": "int64 (5,)",
        "batch[n]": "int",
    }
    assert shapes((["a", "b"], torch.zeros(2))) == {
        "batch[0]": "list of texts",
        "batch[1]": "float32 ()",
    }
