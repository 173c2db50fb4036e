"""What is held out of the training samples: apart from every part of every split, and the same."""

from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest
import torch
from foreign_data import TOUCHED, Foreign, N, X, one_dataset, two_copies, two_files
from made import N as N_MADE
from made import ready

from lightning_hpo.data.folds import Split, set_apart, split_indices
from lightning_hpo.data.held import Held
from lightning_hpo.data.resplit import Resplit
from lightning_hpo.errors import UserError

BOX = Held(lock_box=0.2)
# All that a study may ask for: a part or folds, in repeats, that validate, and the refit.
SPLITS = [
    Split("holdout", val_fraction=0.25, held=BOX),
    *(Split("kfold", n_splits=4, fold=k, repeats=2, held=BOX) for k in range(8)),
    Split("none", held=BOX),
]
LABELS = np.arange(40) % 2


def parts(split: Split, n: int = 40, **known: Any) -> tuple[set[int], set[int], set[int]]:
    train, val = split_indices(split, n, **known)
    box = set_apart(split, n, **known).lock_box
    return set(train.tolist()), set(val.tolist()), set(box.tolist())


@pytest.mark.parametrize("split", SPLITS)
def test_the_box_is_apart_from_what_trains_and_validates_and_always_the_same(split: Split) -> None:
    train, val, box = parts(split, labels=LABELS)

    assert len(box) == 8
    assert not box & (train | val)
    assert box | train | val == set(range(40))
    assert box == parts(SPLITS[0], labels=LABELS)[2]


def test_without_anything_held_out_a_split_is_what_it_was() -> None:
    train, val, box = parts(Split("kfold", n_splits=4, fold=1), labels=LABELS)
    assert (len(train), len(val), box) == (30, 10, set())


def test_another_seed_has_another_box() -> None:
    boxes = [parts(replace(SPLITS[0], seed=seed))[2] for seed in (0, 1)]
    assert boxes[0] != boxes[1]


def test_the_box_is_stratified_as_the_split_is() -> None:
    labels = np.repeat([0, 0, 0, 1], 10)
    box = set_apart(Split(held=BOX), 40, labels=labels).lock_box
    assert np.bincount(labels[box]).tolist() == [6, 2]


def test_no_group_is_in_the_box_and_outside() -> None:
    groups = np.arange(40) // 4
    split = Split("kfold", n_splits=2, stratified=False, held=BOX)
    train, val, box = parts(split, groups=groups)
    of_box = {i // 4 for i in box}
    assert len(of_box) == 2
    assert not of_box & {i // 4 for i in train | val}


def test_in_the_order_of_time_the_box_is_what_comes_last() -> None:
    train, val, box = parts(Split("kfold", n_splits=3, fold=2, order="time", held=BOX))
    assert box == set(range(32, 40))
    assert max(train) < min(val) and max(val) == 31


# Rule: outer folds take turns over all but the box; each is apart from what its study splits.
def test_every_sample_but_the_box_is_in_one_outer_fold() -> None:
    found = []
    for k in range(4):
        held = Held(lock_box=0.2, n_outer=4, outer=k)
        for method in ("holdout", "kfold", "none"):
            train, val, box = parts(Split(method, held=held), labels=LABELS)
            outer = set(set_apart(Split(held=held), 40, labels=LABELS).outer.tolist())
            assert not outer & (train | val | box)
            assert outer | train | val | box == set(range(40))
        assert len(outer) == 8 and sum(i % 2 for i in outer) == 4
        found += sorted(outer)
    assert sorted(found) == sorted(set(range(40)) - box)


def test_in_the_order_of_time_an_outer_fold_follows_what_is_trained_on() -> None:
    held = Held(n_outer=3, outer=1)
    apart = set_apart(Split(order="time", held=held), 40)
    assert apart.free.tolist() == list(range(20))
    assert apart.outer.tolist() == list(range(20, 30))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"lock_box": 0}, r"data\.lock_box must be a share .* got data\.lock_box=0;"),
        ({"lock_box": 1.5}, r"got data\.lock_box=1\.5; leave it out"),
        ({"lock_box": True}, r"got data\.lock_box=True"),
        ({"n_outer": 1}, r"one of at least 2, counted from 0, got fold 0 of 1"),
        ({"n_outer": 3, "outer": 3}, r"got fold 3 of 3"),
        ({"tested": "val"}, r"one of test, lock_box, outer, got 'val'"),
    ],
)
def test_what_cannot_be_held_out_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        Held(**fields)


def test_a_box_too_small_for_the_data_is_refused_by_its_own_name() -> None:
    with pytest.raises(UserError, match=r"^data\.lock_box=0\.05 of 40 .* 2 for the lock box, but"):
        set_apart(Split(held=Held(lock_box=0.05)), 40, labels=np.arange(40) % 10)


def test_more_outer_folds_than_the_smallest_class_has_samples_are_refused() -> None:
    with pytest.raises(UserError, match=r"^study\.nested=30 asks for other outer folds: .*\[2, 20"):
        set_apart(Split(held=Held(n_outer=30)), 40, labels=LABELS)


def test_a_checkpoint_may_hold_it_as_a_mapping() -> None:
    split = Split(held=BOX)
    assert Split(**asdict(split)) == split


# ---------------------------------------------------------------- our own data modules


def values(data: Any, stage: str) -> set[int]:
    return set(data.raw(stage)[0][:, 0, 0, 0].tolist())


# Rule: the box is drawn from all training samples before any limit, so that a search on few and a
# final job on all have the same one.
@pytest.mark.parametrize("limit", [None, 12, 20, 15_000])
@pytest.mark.parametrize("split", [SPLITS[0], SPLITS[3], SPLITS[-1]])
def test_a_limit_leaves_the_box_as_it_is(limit: int | None, split: Split) -> None:
    data = ready(train_limit=limit, split=split)
    box = set(data.apart.lock_box.tolist())

    assert box == set(ready(split=SPLITS[0]).apart.lock_box.tolist())
    assert (len(box), data.n_free) == (8, 32)
    seen = values(data, "train") | values(data, "val")
    assert len(seen) == min(limit or 32, 32)
    assert not seen & box


def test_indices_count_all_training_data_where_there_is_no_limit() -> None:
    data = ready(split=SPLITS[2])
    box = set(data.apart.lock_box.tolist())
    # Sample i consists of the value i.
    assert values(data, "val") == set(data.val_indices.tolist())
    assert set(range(N_MADE)) - box == {*data.train_indices.tolist(), *data.val_indices.tolist()}


@pytest.mark.parametrize("what", ["lock_box", "outer"])
def test_what_is_held_out_takes_the_place_of_the_test_where_it_is_asked_for(what: Any) -> None:
    held = Held(lock_box=0.2, n_outer=4, outer=1, tested=what)
    data = ready("test", train_limit=10, split=Split("none", held=held))
    expected = data.apart.lock_box if what == "lock_box" else data.apart.outer
    assert values(data, "test") == set(expected.tolist())
    x = torch.cat([x for x, _ in data.test_dataloader()])
    assert len(x) == len(expected) == 8


def test_the_test_stays_the_data_s_own_otherwise() -> None:
    assert values(ready("test", split=Split(held=BOX)), "test") == set(range(100, 110))


def test_normalisation_does_not_see_the_box() -> None:
    data = ready(split=Split("none", held=BOX))
    free = torch.tensor(sorted(set(range(N_MADE)) - set(data.apart.lock_box.tolist())))
    assert data.mean is not None
    assert data.mean.item() == pytest.approx(free.double().mean().item(), rel=1e-6)


# ---------------------------------------------------------------- data of a user's own


def loaded(loader: Any) -> set[float]:
    return {float(x) % TOUCHED for batch, _ in loader for x in batch}


@pytest.mark.parametrize("make", [one_dataset, two_copies, two_files])
def test_data_that_are_split_from_outside_have_a_box_too(make: Any) -> None:
    boxes = []
    for split in SPLITS:
        data = Foreign(make)
        resplit = Resplit(data, split)
        data.setup("fit")
        box = {float(X[i]) for i in resplit.apart.lock_box}
        val = data.val_dataloader()
        seen = loaded(data.train_dataloader()) | (loaded(val) if val != [] else set())
        assert not seen & box and len(seen) == N - len(box)
        boxes.append(box)
    assert all(box == boxes[0] and len(box) == 12 for box in boxes)


def test_the_box_of_data_split_from_outside_is_tested_as_validation_sees_it() -> None:
    data = Foreign(two_copies)
    resplit = Resplit(data, Split("none", held=Held(lock_box=0.2, tested="lock_box")))
    data.setup("fit")
    tested = [float(x) for batch, _ in data.test_dataloader() for x in batch]
    assert sorted(tested) == [float(X[i]) for i in resplit.apart.lock_box]
    assert sorted(int(value) % 3 for value in tested) == [0] * 4 + [1] * 4 + [2] * 4
