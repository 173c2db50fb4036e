"""What tensors say of themselves: shape, samples, classes; of the test once it is open."""

import numpy as np
from made import ready

from lightning_hpo.data import told
from lightning_hpo.data.base import Arrays, TensorDataModule
from lightning_hpo.data.folds import Split
from lightning_hpo.data.held import Held


class Rows(TensorDataModule):
    """Real-valued targets."""

    def load(self) -> Arrays:
        x, y = np.zeros((30, 4)), np.linspace(0, 1, 30)
        return Arrays(x, y, x[:6], y[:6])


def test_the_test_is_not_counted_before_it_is_open() -> None:
    assert told.description(ready()) == {
        "shape": [1, 4, 4],
        "samples": {"train": 40, "test": None},
        "classes": [
            {"name": "even", "train": 20, "test": None},
            {"name": "odd", "train": 20, "test": None},
        ],
    }


def test_the_open_test_is_counted() -> None:
    found = ready("test").description()
    assert found["samples"] == {"train": 40, "test": 10}
    assert [each["test"] for each in found["classes"]] == [5, 5]


def test_a_limit_takes_no_sample_away_but_a_lock_box_does() -> None:
    assert ready(train_limit=12).description()["samples"]["train"] == 40
    boxed = ready(split=Split(held=Held(lock_box=0.25))).description()
    assert boxed["samples"]["train"] == 30
    assert [each["train"] for each in boxed["classes"]] == [15, 15]


def test_targets_that_are_no_classes_have_none() -> None:
    data = Rows()
    data.setup("fit")
    assert data.description() == {"shape": [4], "samples": {"train": 30, "test": None}}
