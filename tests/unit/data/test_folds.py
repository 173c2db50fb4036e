"""Splits are pure functions of counts, labels and a seed."""

import numpy as np
import pytest
import torch

from lightning_hpo.data.folds import (
    Method,
    Split,
    holdout,
    in_time,
    kfold,
    latest,
    split_indices,
    subset,
)
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


# Rule: one seed draws as many holdout parts as are asked for; the folds are one and the same.
def test_one_seed_has_several_holdout_parts() -> None:
    def val(draw: int, method: Method = "holdout") -> list[int]:
        split = Split(method=method, draw=draw)
        return split_indices(split, 100, labels=LABELS)[1].tolist()

    parts = [val(draw) for draw in range(3)]
    assert parts[0] == holdout(100, val_fraction=0.1, seed=0, labels=LABELS)[1].tolist()
    assert len({tuple(part) for part in parts}) == 3
    assert [np.bincount(LABELS[part]).tolist() for part in parts] == [[6, 3, 1]] * 3
    assert val(1, "kfold") == val(0, "kfold")


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
    with pytest.raises(UserError, match=rf"lie in \[2, 100\].*got cv.n_splits={n_splits}"):
        kfold(100, n_splits=n_splits, seed=0)


def test_kfold_is_bounded_by_the_smallest_class() -> None:
    assert len(kfold(100, n_splits=10, seed=0, labels=LABELS)) == 10
    with pytest.raises(UserError, match=r"\[2, 10\] .*smallest class.*cv.n_splits=11"):
        kfold(100, n_splits=11, seed=0, labels=LABELS)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"method": "loo"}, "holdout, kfold, none, own, got 'loo'"),
        ({"method": "kfold", "n_splits": 1}, "n_splits=1"),
        ({"method": "kfold", "fold": 5}, r"\[0, 4\] for cv.n_splits=5, got fold=5"),
        ({"method": "kfold", "fold": -1}, "fold=-1"),
        ({"method": "kfold", "repeats": 0}, "cv.repeats must be at least 1, got cv.repeats=0"),
        ({"method": "kfold", "repeats": 2, "fold": 10}, r"\[0, 9\] .*cv.repeats=2, got fold=10"),
        ({"order": "random"}, "cv.method must be one of shuffled, time, got 'random'"),
        ({"order": "time", "groups": "who"}, "cv.method=time with cv.groups=who"),
        ({"method": "kfold", "order": "time", "repeats": 2}, "cv.method=time with cv.repeats=2"),
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
    with pytest.raises(UserError, match=rf"\[1, 100\], got data.train_limit={limit}; leave it out"):
        subset(100, limit, seed=0)


GROUPS = np.arange(100) // 4  # 25 groups of four


@pytest.mark.parametrize("labels", [None, LABELS])
def test_no_group_is_in_both_parts_of_a_fold(labels: np.ndarray | None) -> None:
    folds = kfold(100, n_splits=5, seed=0, labels=labels, groups=GROUPS)
    assert sorted(np.concatenate([val for _, val in folds])) == list(range(100))
    for train, val in folds:
        assert sorted([*train, *val]) == list(range(100))
        assert not set(GROUPS[train]) & set(GROUPS[val])


def test_a_holdout_takes_whole_groups() -> None:
    train, val = holdout(100, val_fraction=0.1, seed=0, groups=GROUPS)
    assert sorted([*train, *val]) == list(range(100))
    # A tenth of 25 groups, rounded up, of four samples each.
    assert (len(val), len(set(GROUPS[val]))) == (12, 3)
    assert not set(GROUPS[train]) & set(GROUPS[val])


def test_there_must_be_as_many_groups_as_folds() -> None:
    with pytest.raises(UserError, match=r"\[2, 25\] \(there are 25 groups\), got cv.n_splits=26"):
        kfold(100, n_splits=26, seed=0, groups=GROUPS)
    with pytest.raises(UserError, match="of 1 groups gives 0 for training"):
        holdout(4, val_fraction=0.5, seed=0, groups=np.zeros(4))


# Rule: what trains always lies before what validates, and each sample validates at most once.
def test_in_the_order_of_time_the_past_trains() -> None:
    folds = [(train.tolist(), val.tolist()) for train, val in in_time(7, n_splits=3)]
    assert folds == [([0, 1, 2, 3], [4]), ([0, 1, 2, 3, 4], [5]), ([0, 1, 2, 3, 4, 5], [6])]
    split = Split(method="kfold", n_splits=3, fold=1, order="time")
    assert split_indices(split, 8, labels=np.arange(8))[1].tolist() == [4, 5]
    train, val = latest(11, val_fraction=0.1)
    assert (train.tolist(), val.tolist()) == (list(range(9)), [9, 10])
    held_out = split_indices(Split(order="time"), 11, labels=np.arange(11) % 2)
    assert held_out[1].tolist() == [9, 10]
    with pytest.raises(UserError, match=r"\[2, 3\] for 4 samples in the order of time"):
        in_time(4, n_splits=4)


# Rule: each repeat is a cross-validation by itself, in an order of its own; the first is the usual.
def test_in_each_repeat_all_samples_take_turns() -> None:
    def val(fold: int, repeats: int = 3) -> list[int]:
        split = Split(method="kfold", n_splits=4, fold=fold, repeats=repeats, seed=7)
        return split_indices(split, 100, labels=LABELS)[1].tolist()

    assert Split(method="kfold", n_splits=4, repeats=3).n_folds == 12
    for repeat in range(3):
        turns = [i for fold in range(4) for i in val(4 * repeat + fold)]
        assert sorted(turns) == list(range(100))
    assert [val(fold) for fold in range(4)] == [val(fold, repeats=1) for fold in range(4)]
    assert len({tuple(val(fold)) for fold in (0, 4, 8)}) == 3


def test_data_that_are_split_by_us_have_no_split_of_their_own() -> None:
    with pytest.raises(UserError, match=r"split\.method=own is for data"):
        split_indices(Split(method="own"), 10)
