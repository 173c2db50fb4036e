"""Where the classes and the groups of samples are found."""

from typing import Any

import numpy as np
import pytest
import torch
from foreign_data import Foreign, N, Rows, X, Y, one_dataset, touch, two_datasets
from torch.utils.data import ConcatDataset, DataLoader, Subset, TensorDataset

from lightning_hpo.data.labels import (
    as_values,
    classes,
    labels_of,
    named,
    require_classes,
)
from lightning_hpo.data.views import Joined, Views, find_views
from lightning_hpo.errors import UserError

CLASSES = Y.tolist()


class Counted(Rows):
    """Counts how often a sample is read."""

    n_read = 0

    def __getitem__(self, i: int) -> Any:
        self.n_read += 1
        return self.shown(*super().__getitem__(i))

    def shown(self, x: Any, y: Any) -> Any:
        return x, y


class InDictionaries(Counted):
    def shown(self, x: Any, y: Any) -> Any:
        return {"image": x, "label": y}


class WithoutLabels(Counted):
    def shown(self, x: Any, y: Any) -> Any:
        return x


def labels(dataset: Any, **options: Any) -> Any:
    found = labels_of(Views(dataset, dataset), DataLoader(dataset), **options)
    return None if found is None else found.tolist()


# Rule: what a dataset knows of its samples is read from it, through whatever lies above.
@pytest.mark.parametrize(
    ("dataset", "expected"),
    [
        (Rows(X, Y, targets=Y), CLASSES),
        (Rows(X, Y, labels=CLASSES), CLASSES),
        (Subset(Rows(X, Y, targets=CLASSES), [4, 2]), [1, 2]),
        (ConcatDataset([Rows(X, Y, targets=Y), Rows(X, Y, targets=CLASSES)]), CLASSES * 2),
        (TensorDataset(X, Y), CLASSES),
        (Joined(TensorDataset(X[:9], Y[:9]), TensorDataset(X[9:], Y[9:]), [10, 5]), [1, 2]),
    ],
)
def test_labels_are_what_the_dataset_knows(dataset: Any, expected: list[int]) -> None:
    assert labels(dataset) == expected


@pytest.mark.parametrize("kind", [Counted, InDictionaries])
def test_else_the_samples_are_looked_at_once(kind: Any) -> None:
    rows = kind(X, Y)
    assert labels(rows, known_as=("these", kind)) == CLASSES
    n_read = rows.n_read
    assert labels(rows, known_as=("these", kind)) == CLASSES
    assert rows.n_read == n_read
    assert labels(rows, known_as=("others", kind)) == CLASSES
    assert rows.n_read == 2 * n_read


# Rule: a single sample shows that there are no classes.
@pytest.mark.parametrize("rows", [Counted(X, X), WithoutLabels(X, Y), Counted(X, torch.ones(N, 2))])
def test_real_values_have_no_classes(rows: Any) -> None:
    assert labels(rows) is None
    assert rows.n_read == 1
    assert labels(TensorDataset(X, X)) is None


def test_values_are_one_for_each_sample() -> None:
    assert as_values([1, 2], 3) is None
    assert as_values("abc", 3) is None
    assert as_values({1: 2}, 1) is None
    assert as_values(torch.tensor([1, 2]), 2).tolist() == [1, 2]
    assert classes(np.array(["a", "b"])) is not None
    assert classes(np.array([True, False])) is not None
    assert classes(np.array([0.5])) is None
    assert classes(np.array([[1]])) is None


class Knows(Foreign):
    in_order = np.arange(N) // 10


# Rule: values are those of the samples, whatever part of the dataset these are.
def test_a_name_is_an_attribute_of_the_data_module_or_of_its_datasets() -> None:
    train, val = one_dataset()
    fewer = Subset(train, range(20))
    data = Knows(one_dataset)
    views = find_views(data, fewer, val)
    found = named(data, views, "in_order", key="cv.groups")
    assert found.tolist() == [int(x) // 10 for x, _ in (views.val[i] for i in range(len(views)))]
    views = find_views(data, *two_datasets())
    assert named(data, views, "in_order", key="cv.groups").tolist() == data.in_order.tolist()
    rows = Rows(X[:9], Y[:9], touch, who=X[:9]), Rows(X[9:], Y[9:], who=X[9:])
    assert named(data, find_views(data, *rows), "who", key="cv.groups").tolist() == X.tolist()


def test_a_name_that_is_none_is_refused() -> None:
    data = Knows(two_datasets)
    views = find_views(data, *two_datasets())
    with pytest.raises(UserError, match=r"cv\.groups must .* Knows .* 60 samples, got .*=nobody"):
        named(data, views, "nobody", key="cv.groups")
    with pytest.raises(UserError, match=r"cv\.labels must name classes, got cv\.labels=x .*float"):
        require_classes(X.numpy(), "x")
