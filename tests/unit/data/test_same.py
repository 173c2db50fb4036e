"""Two datasets are one if they hold and show the same; what else differs may mean anything."""

import functools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from foreign_data import Rows, Transformed, X, Y, touch
from torch.utils.data import Subset, TensorDataset
from torchvision.datasets import FakeData

from lightning_hpo.data.same import base_of, difference, equal


class Plain:
    def __init__(self, **values: Any) -> None:
        vars(self).update(values)


def doubler(factor: float) -> Any:
    return lambda value: value * factor


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        (X, X.clone(), True),
        (X, X.double(), False),
        (torch.tensor([1.0, float("nan")]), torch.tensor([1.0, float("nan")]), True),
        (np.arange(3), np.arange(3) + 1, False),
        ({"a": [X, "b"]}, {"a": [X.clone(), "b"]}, True),
        ({"a": 1}, {"b": 1}, False),
        ([1, 2], [1, 2, 3], False),
        (1, 1.0, False),
        (doubler(2), doubler(2), True),
        (doubler(2), doubler(3), False),
        (functools.partial(touch, 1), functools.partial(touch, 2), False),
        (Plain(a=X, b=doubler(1)), Plain(a=X.clone(), b=doubler(1)), True),
        (Plain(a=X), Plain(a=X + 1), False),
        (Plain(a=[doubler(1), doubler(2)]), Plain(a=[doubler(1), doubler(3)]), False),
        # Nothing is known of such a thing but that it is another one.
        (object(), object(), False),
    ],
)
def test_values_are_equal_by_what_they_are_made_of(a: Any, b: Any, same: bool) -> None:
    assert equal(a, b) is same
    assert equal(a, a)


def test_what_refers_to_itself_is_compared_too() -> None:
    a, b = Plain(x=1), Plain(x=1)
    a.me, b.me = a, b  # type: ignore[attr-defined]
    assert equal(a, b)


# Rule: transforms are known by their names and can be called; data are as many as the samples.
@pytest.mark.parametrize(
    ("of_a", "of_b", "kind"),
    [
        ({"transform": touch}, {}, "view"),
        ({"target_transform": touch}, {"target_transform": None}, "view"),
        ({"train_transforms": [touch]}, {"train_transforms": []}, "view"),
        ({"_augmentation": touch}, {"_augmentation": None}, "view"),
        # A flag may have done its work already.
        ({"augment": True}, {"augment": False}, "unknown"),
        ({"train": True}, {"train": False}, "unknown"),
        ({"scale": 2.0}, {"scale": 1.0}, "unknown"),
        ({"classes": ["a"]}, {"classes": ["b"]}, "unknown"),
        ({"extra": 1}, {}, "unknown"),
        ({"root": "a"}, {"root": "b"}, "data"),
        ({"image_dir": Path("a")}, {"image_dir": Path("b")}, "data"),
        ({"mode": "train"}, {"mode": "val"}, "unknown"),
        ({"names": list(range(60))}, {"names": list(range(1, 61))}, "data"),
    ],
)
def test_what_an_attribute_decides(of_a: dict, of_b: dict, kind: str) -> None:
    found = vars(difference(Rows(X, Y, **of_a), Rows(X.clone(), Y, **of_b)))
    expected = {"view": [], "data": [], "unknown": []}
    assert found == expected | {kind: sorted({*of_a, *of_b})}


def test_samples_and_their_number_are_data() -> None:
    found = difference(Rows(X[:9], Y[:9], n=9), Rows(X[9:19], Y[9:19], n=10))
    assert found.data == ["n", "x", "y"] and not found.view + found.unknown
    tensors = difference(TensorDataset(X[:9], Y[:9]), TensorDataset(X[9:], Y[9:]))
    assert tensors.data == ["tensors"] and not tensors.view + tensors.unknown
    assert difference([(1, 2)], [(3, 4)]).data == ["itself"]


# Rule: a dataset below is data only if it shows its samples alike.
def test_a_dataset_below_may_hide_a_view() -> None:
    parts = Subset(Rows(X, Y), range(9)), Subset(Rows(X + 1, Y), range(9, 19))
    assert difference(*(Transformed(part, touch) for part in parts)).data == ["subset"]
    seen = Subset(Rows(X, Y, touch), range(9)), Subset(Rows(X, Y), range(9, 19))
    assert difference(*(Transformed(part, touch) for part in seen)).unknown == ["subset"]


# Rule: what torchvision's datasets show is decided by their transforms alone.
def test_arguments_of_torchvisions_datasets_say_what_is_read() -> None:
    found = difference(FakeData(8, num_classes=2), FakeData(9, random_offset=8, transform=touch))
    assert found.data == ["num_classes", "random_offset", "size"]
    assert found.view == ["transform", "transforms"] and not found.unknown


def test_what_lies_below_subsets_of_subsets() -> None:
    whole = TensorDataset(X, Y)
    base, index = base_of(Subset(Subset(whole, [5, 6, 7, 8]), [3, 0]))
    assert base is whole and index is not None and index.tolist() == [8, 5]
    assert base_of(whole) == (whole, None)
