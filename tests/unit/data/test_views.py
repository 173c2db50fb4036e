"""A sample is seen through the view of the part that it is in, or nothing is split at all."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from foreign_data import (
    N_TRAIN,
    TOUCHED,
    Foreign,
    N,
    Rows,
    Transformed,
    X,
    Y,
    flagged,
    one_dataset,
    touch,
    transformed_parts,
    two_copies,
    two_datasets,
    two_files,
    values,
)
from torch.utils.data import Dataset, IterableDataset, Subset, TensorDataset

from lightning_hpo.data.views import CannotTell, Joined, find_views, part

EVERYTHING = list(map(float, range(N)))


def found(make: Callable[[], tuple[Any, Any]], data: Any = None, **options: Any) -> Any:
    return find_views(data or Foreign(make), *make(), **options)


# Rule: all samples, in the order of the one dataset of which they are parts.
@pytest.mark.parametrize("make", [one_dataset, two_datasets])
def test_one_view_where_nothing_but_the_data_differs(make: Any) -> None:
    views = found(make)
    assert values(views.train) == values(views.val) == EVERYTHING
    assert len(views) == N


# Rule: an augmentation touches all samples where they train, and none where they validate.
@pytest.mark.parametrize("make", [two_copies, two_files, transformed_parts])
def test_each_sample_is_seen_through_the_view_of_its_part(make: Any) -> None:
    views = found(make)
    assert values(views.val) == EVERYTHING
    assert values(views.train) == [value + TOUCHED for value in EVERYTHING]


def test_parts_of_one_dataset_know_their_places_in_it() -> None:
    train, val = one_dataset()
    views = found(lambda: (Subset(train, range(10)), val))
    assert views.n_placed == N
    assert [float(i) for i in views.places] == values(views.val)
    assert len(views) == 10 + N - N_TRAIN


class Remembers(Rows):
    """Keeps what its transform has made, in a list or in a dictionary."""

    def __init__(self, x: Any, y: Any, transform: Any, kept: Any) -> None:
        super().__init__(x, y, transform, kept=kept)

    def __getitem__(self, i: int) -> tuple[Any, Any]:
        if self.kept is None or i not in self.kept:
            self.kept[i] = super().__getitem__(i)
        return self.kept[i]


# Rule: what a dataset keeps of one view does not reach the other.
def test_a_dataset_that_remembers_shows_each_view_its_own() -> None:
    views = found(
        lambda: (
            Remembers(X[:N_TRAIN], Y[:N_TRAIN], touch, {}),
            Remembers(X[N_TRAIN:], Y[N_TRAIN:], torch.clone, {}),
        )
    )
    for _ in range(2):
        assert values(views.train) == [value + TOUCHED for value in EVERYTHING]
        assert values(views.val) == EVERYTHING


class Stream(IterableDataset[Any]):
    def __iter__(self) -> Any:
        return iter(EVERYTHING)


class Endless(Dataset[Any]):
    def __getitem__(self, i: int) -> int:
        return i


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (flagged, r"two Rows differ in more than data and transforms: train \(True and False\)"),
        (lambda: (Rows(X, Y), TensorDataset(X, Y)), "training reads a Rows and validation a Tens"),
        (lambda: (Stream(), Stream()), "Stream is an IterableDataset"),
        (lambda: (Rows([], []), Rows(X, Y)), "Rows has no samples"),
        (lambda: (Endless(), Endless()), "Endless has no length"),
        # Otherwise a sample would train and validate.
        (lambda: (TensorDataset(X, Y),) * 2, "60 of 60 validation samples are training samples"),
        (lambda: (Rows(X, Y, touch), Rows(X, Y)), "60 of 60 validation samples are training"),
        (
            lambda: (Subset(whole := Rows(X, Y), range(50)), Subset(whole, range(40, 60))),
            "10 of 20 validation samples are training samples too",
        ),
        (
            lambda: (Subset(whole := Rows(X, Y), [1, 1, 2]), Subset(whole, [3])),
            "some samples occur more than once",
        ),
        (
            lambda: tuple(
                Transformed(Subset(WHOLE, range(*ends)), f)
                for ends, f in (((0, 50), touch), ((40, 60), torch.clone))
            ),
            "10 of 20 validation samples are training samples too",
        ),
    ],
)
def test_what_cannot_be_told_is_not_guessed(make: Any, reason: str) -> None:
    with pytest.raises(CannotTell, match=reason):
        found(make)


WHOLE = TensorDataset(X, Y)


class Tells(Foreign):
    """Shows all samples in both views, by its own method."""

    n_in_val = N

    def datasets(self, view: str) -> Any:
        return Rows(X, Y, touch) if view == "train" else Rows(X[: self.n_in_val], Y)


class Named(Foreign):
    """Keeps a second look at what it trains on."""

    seen_plainly = Rows(X, Y)
    too_few = Rows(X[1:], Y[1:])


def test_the_data_module_may_give_both_views() -> None:
    views = found(flagged, Tells(flagged))
    assert values(views.val) == EVERYTHING
    assert values(views.train) == [value + TOUCHED for value in EVERYTHING]
    shorter = Tells(flagged)
    shorter.n_in_val = 9
    with pytest.raises(CannotTell, match="60 in 'train' and 9 in 'val'"):
        found(flagged, shorter)


def test_an_attribute_of_that_name_may_be_something_else() -> None:
    data = Foreign(one_dataset)
    data.datasets = {"train": 1}  # type: ignore[attr-defined]
    assert len(found(one_dataset, data)) == N
    data.datasets = lambda: None  # type: ignore[attr-defined]
    assert len(found(one_dataset, data)) == N


# Rule: the named dataset shows the samples of the one that training reads.
def test_a_dataset_may_be_named_as_the_view_of_validation() -> None:
    whole = Rows(X, Y, touch, train=True)
    parts = Subset(whole, range(0, N, 2)), Subset(whole, range(1, N, 2))
    views = found(lambda: parts, Named(lambda: parts), eval_dataset="seen_plainly")
    assert values(views.val) == EVERYTHING
    assert values(views.train) == [value + TOUCHED for value in EVERYTHING]


@pytest.mark.parametrize(
    ("name", "make", "reason"),
    [
        ("nothing", one_dataset, r"an attribute of Named .* got cv.eval_dataset=nothing"),
        ("too_few", one_dataset, "must have the 60 samples .* got 59"),
        ("seen_plainly", lambda: (Rows(X, Y), Rows(X, Y)), "whose validation part is a Subset"),
    ],
)
def test_a_named_dataset_must_fit(name: str, make: Any, reason: str) -> None:
    with pytest.raises(CannotTell, match=reason):
        found(make, Named(make), eval_dataset=name)


class InBatches(Rows):
    calls = 0

    def __getitems__(self, indices: list[int]) -> list[Any]:
        self.calls += 1
        return [super(InBatches, self).__getitem__(i) for i in indices]


def test_what_reads_in_batches_still_does() -> None:
    first, second = InBatches(X[:6], Y[:6]), InBatches(X[6:], Y[6:])
    joined = Joined(first, second, range(N))
    assert [float(x) for x, _ in joined.__getitems__([0, 59, 3, 7])] == [0, 59, 3, 7]
    assert (first.calls, second.calls) == (1, 1)
    assert [float(x) for x, _ in joined.__getitems__([1, 2])] == [1, 2]
    assert (first.calls, second.calls) == (2, 1)


def test_a_part_of_a_part_has_no_layer_more() -> None:
    of_subset: Any = part(Subset(WHOLE, [9, 8, 7]), [2, 0])
    assert of_subset.dataset is WHOLE and of_subset.indices == [7, 9]
    of_joined: Any = part(Joined(Rows(X[:6], Y), Rows(X[6:], Y), [9, 5]), [1])
    assert values(of_joined) == [5.0]
    assert values(part(WHOLE, [4])) == [4.0]
