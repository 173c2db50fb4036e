"""Splits are pure functions of counts, labels and a seed."""

import numpy as np
import pytest
import torch

from lightning_hpo.data.folds import Method, Split, holdout, kfold, split_indices, subset
from lightning_hpo.errors import UserError

LABELS = np.repeat([0, 1, 2], [60, 30, 10])


def test_kfold_validation_parts_are_disjoint_and_cover_everything() -> None:
    folds = kfold(103, n_splits=5, seed=1)
    assert sorted(np.concatenate([val for _, val in folds])) == list(range(103))
    for train, val in folds:
        assert sorted([*train, *val]) == list(range(103))
        assert len(val) in (20, 21)


def test_stratified_folds_hold_the_classes_in_proportion() -> None:
    for _, val in kfold(100, n_splits=5, seed=0, labels=LABELS):
        assert np.bincount(LABELS[val]).tolist() == [12, 6, 2]


def test_holdout_rounds_up_and_holds_the_classes_in_proportion() -> None:
    train, val = holdout(105, val_fraction=0.1, seed=0)
    assert (len(train), len(val)) == (94, 11)
    assert sorted([*train, *val]) == list(range(105))
    _, val = holdout(100, val_fraction=0.1, seed=0, labels=LABELS)
    assert np.bincount(LABELS[val]).tolist() == [6, 3, 1]


@pytest.mark.parametrize("method", ["holdout", "kfold"])
def test_the_seed_alone_decides(method: Method) -> None:
    def val(seed: int) -> list[int]:
        return split_indices(Split(method=method, seed=seed), 100, labels=LABELS)[1].tolist()

    assert val(3) == val(3)
    assert val(3) != val(4)


def test_split_indices_are_sorted_int64_tensors() -> None:
    for method in ("holdout", "kfold", "none"):
        for part in split_indices(Split(method=method), 50):
            assert part.dtype == torch.int64
            assert part.tolist() == sorted(part.tolist())


def test_none_trains_on_everything() -> None:
    train, val = split_indices(Split(method="none"), 7)
    assert train.tolist() == list(range(7))
    assert len(val) == 0


def test_not_stratified_ignores_the_labels() -> None:
    # Each class occurs once, which no stratified split could divide.
    split = Split(method="kfold", n_splits=2, stratified=False)
    assert len(split_indices(split, 10, labels=np.arange(10))[1]) == 5


@pytest.mark.parametrize("n_splits", [-1, 0, 1, 101])
def test_kfold_refuses_impossible_counts(n_splits: int) -> None:
    with pytest.raises(UserError, match=rf"lie in \[2, 100\].*got n_splits={n_splits}"):
        kfold(100, n_splits=n_splits, seed=0)


def test_kfold_is_bounded_by_the_smallest_class() -> None:
    assert len(kfold(100, n_splits=10, seed=0, labels=LABELS)) == 10
    with pytest.raises(UserError, match=r"\[2, 10\] .*smallest class.*n_splits=11"):
        kfold(100, n_splits=11, seed=0, labels=LABELS)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"method": "loo"}, "holdout, kfold, none, own, got 'loo'"),
        ({"method": "kfold", "n_splits": 1}, "n_splits=1"),
        ({"method": "kfold", "fold": 5}, r"\[0, 4\] for n_splits=5, got fold=5"),
        ({"method": "kfold", "fold": -1}, "fold=-1"),
        ({"val_fraction": 0.0}, "val_fraction=0.0"),
        ({"val_fraction": 1.0}, "val_fraction=1.0"),
    ],
)
def test_a_wrong_split_is_refused_at_once(fields: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        Split(**fields)


def test_a_holdout_needs_each_class_on_both_sides() -> None:
    with pytest.raises(UserError, match="1 for validation, but each part needs 3"):
        holdout(100, val_fraction=0.01, seed=0, labels=LABELS)
    with pytest.raises(UserError, match="smallest class has 1"):
        holdout(4, val_fraction=0.5, seed=0, labels=np.array([0, 0, 0, 1]))
    with pytest.raises(UserError, match="gives 0 for training"):
        holdout(2, val_fraction=0.9, seed=0)


@pytest.mark.parametrize("limit", [1, 2, 3, 50, 99, 100])
def test_subset_has_the_size_that_was_asked_for(limit: int) -> None:
    for labels in (None, LABELS):
        chosen = subset(100, limit, seed=0, labels=labels)
        assert len(set(chosen.tolist())) == limit
        assert chosen.tolist() == sorted(chosen.tolist())


def test_subset_keeps_proportions_and_is_nested() -> None:
    small = subset(100, 20, seed=5, labels=LABELS)
    large = subset(100, 50, seed=5, labels=LABELS)
    assert np.bincount(LABELS[small]).tolist() == [12, 6, 2]
    assert np.bincount(LABELS[large]).tolist() == [30, 15, 5]
    assert set(small) <= set(large)
    assert small.tolist() != subset(100, 20, seed=6, labels=LABELS).tolist()


@pytest.mark.parametrize("limit", [-3, 0, 101])
def test_subset_refuses_what_is_not_there(limit: int) -> None:
    with pytest.raises(UserError, match=rf"\[1, 100\], got train_limit={limit}; leave it out"):
        subset(100, limit, seed=0)
