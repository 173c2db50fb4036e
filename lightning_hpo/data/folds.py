"""Which samples train and which validate: pure functions from counts, labels and a seed to indices.

n: number of samples. labels: (n,) class of each sample; given, every part keeps the classes'
proportions. groups: (n,) what each sample belongs to, such as a patient; given, no group is in both
parts. All indices are sorted and zero-based.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import ceil
from typing import Any, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.model_selection import (
    GroupKFold,
    GroupShuffleSplit,
    KFold,
    StratifiedGroupKFold,
    StratifiedKFold,
    TimeSeriesSplit,
    train_test_split,
)
from torch import Tensor

from lightning_hpo.data.held import Apart, Held, Indices
from lightning_hpo.errors import UserError
from lightning_hpo.protocol.seeds import derive_seed

Method = Literal["holdout", "kfold", "none", "own"]
Order = Literal["shuffled", "time"]
# What errors call a fraction, and what they say it is for.
VAL_FRACTION, LOCK_BOX, TEST_FRACTION = "val_fraction", "data.lock_box", "data.test_fraction"
_USES = {
    VAL_FRACTION: "for validation",
    LOCK_BOX: "for the lock box",
    TEST_FRACTION: "for the test",
}


# Not frozen: a data module that saves its hyperparameters keeps one, and a logger of Lightning's
# refuses those. Nobody changes it all the same.
@dataclass(unsafe_hash=True)
class Split:
    """How the training data fall into a training and a validation part.

    Fields of the methods that are not chosen are ignored.

    Args:
        method: "holdout" keeps ``val_fraction`` of the data for validation, "kfold" validates on
            fold ``fold`` of ``n_folds``, "none" trains on everything, "own" leaves a data module
            the training and validation data that it has.
        n_splits: parts that take turns to validate, at least 2 and at most the samples of the
            smallest class, or the groups.
        fold: the one that validates, from 0 to ``n_folds`` - 1.
        val_fraction: share of the samples, or of the groups, in (0, 1).
        stratified: keep the proportions of the classes in both parts; targets without classes
            have none.
        seed: alone decides who goes where, so all folds of one cross-validation, and all trials
            that shall be comparable, share it.
        repeats: how often all samples take turns, at least 1, each time in another order.
        order: "shuffled", or "time": samples lie in the order of time, and what validates comes
            after all that trains. Fold k then trains on the first k + 1 of ``n_splits`` + 1 parts.
        groups: by what name the data know the group of each sample; None: there are none.
        labels: by what name they know the class of each sample, to stratify by; None: their own.
        draw: of the holdout parts that ``seed`` can draw, which one; the search's is 0. In the
            order of time there is only one.
        held: what leaves the data before they are split, as a ``Held`` or a mapping of its fields.

    Raises:
        UserError: for a field of the chosen method outside its range.

    Examples:
        >>> train, val = split_indices(Split(method="kfold", n_splits=3, fold=2, order="time"), 8)
        >>> train.tolist(), val.tolist()
        ([0, 1, 2, 3, 4, 5], [6, 7])
    """

    method: Method = "holdout"
    n_splits: int = 5
    fold: int = 0
    val_fraction: float = 0.1
    stratified: bool = True
    seed: int = 0
    repeats: int = 1
    order: Order = "shuffled"
    groups: str | None = None
    labels: str | None = None
    draw: int = 0
    held: Held = field(default_factory=Held)

    @property
    def n_folds(self) -> int:
        return self.n_splits * self.repeats

    def __post_init__(self) -> None:
        if isinstance(self.held, Mapping):
            # As a checkpoint has it.
            self.held = Held(**self.held)
        if self.method not in get_args(Method):
            raise UserError(
                f"split.method must be one of {', '.join(get_args(Method))}, got {self.method!r}."
            )
        if self.method == "holdout":
            _check_val_fraction(self.val_fraction)
        if self.method == "kfold":
            self._check_folds()
        if self.order not in get_args(Order):
            raise UserError(
                f"cv.method must be one of {', '.join(get_args(Order))}, got {self.order!r}."
            )
        if self.order == "time" and self.groups is not None:
            raise UserError(
                "folds in the order of time know no groups, got cv.method=time with"
                f" cv.groups={self.groups}; leave one of them out."
            )

    def _check_folds(self) -> None:
        if self.n_splits < 2:
            raise UserError(f"cv.n_splits must be at least 2, got cv.n_splits={self.n_splits}.")
        if self.repeats < 1:
            raise UserError(f"cv.repeats must be at least 1, got cv.repeats={self.repeats}.")
        if self.order == "time" and self.repeats > 1:
            raise UserError(
                "folds in the order of time are the same whenever they are made, got cv.method=time"
                f" with cv.repeats={self.repeats}; leave one of them out."
            )
        if not 0 <= self.fold < self.n_folds:
            repeats = f" and cv.repeats={self.repeats}" if self.repeats > 1 else ""
            raise UserError(
                f"fold must lie in [0, {self.n_folds - 1}] for cv.n_splits={self.n_splits}"
                f"{repeats}, got fold={self.fold}."
            )


def split_indices(
    split: Split, n: int, *, labels: NDArray[Any] | None = None, groups: NDArray[Any] | None = None
) -> tuple[Tensor, Tensor]:
    """Returns the training and the validation indices, int64; the latter are empty for ``none``.

    What ``split.held`` holds out is in neither.
    """
    if split.method == "own":
        raise UserError(
            "split.method=own is for data with a validation part of their own; use holdout, kfold"
            " or none."
        )
    free = set_apart(split, n, labels=labels, groups=groups).free
    labels, groups = (v if v is None else v[free] for v in (labels, groups))
    train, val = _split_all(split, len(free), labels=labels, groups=groups)
    return torch.from_numpy(free[train]), torch.from_numpy(free[val])


def set_apart(
    split: Split, n: int, *, labels: NDArray[Any] | None = None, groups: NDArray[Any] | None = None
) -> Apart:
    """Holds out of ``n`` samples what ``split.held`` says, first the lock box.

    Stratified, by groups and in the order of time as the split is; the same for all of its methods,
    folds and repeats.
    """
    held, nothing = split.held, np.arange(0)
    labels = labels if split.stratified else None
    free, box, outer = np.arange(n), nothing, nothing
    if held.lock_box is not None:
        free, box = _lock_box(split, held.lock_box, n, labels=labels, groups=groups)
    if held.n_outer:
        labels, groups = (v if v is None else v[free] for v in (labels, groups))
        kept, left = _outer_fold(split, len(free), labels=labels, groups=groups)
        free, outer = free[kept], free[left]
    return Apart(free, box, outer)


def _held_by(split: Split) -> int:
    """The seed that draws what is held out."""
    return split.seed if split.held.seed is None else split.held.seed


def _outer_fold(
    split: Split, n: int, *, labels: NDArray[Any] | None, groups: NDArray[Any] | None
) -> tuple[Indices, Indices]:
    n_outer, seed = split.held.n_outer, derive_seed(_held_by(split), "outer")
    folds = replace(
        split, method="kfold", n_splits=n_outer, fold=split.held.outer, repeats=1, seed=seed
    )
    try:
        return _fold(folds, n, labels=labels, groups=groups)
    except UserError as error:
        raise UserError(f"study.nested={n_outer} asks for other outer folds: {error}") from None


def _lock_box(
    split: Split,
    share: float,
    n: int,
    *,
    labels: NDArray[Any] | None,
    groups: NDArray[Any] | None,
) -> tuple[Indices, Indices]:
    if split.order == "time":
        return latest(n, val_fraction=share, key=LOCK_BOX)
    seed = derive_seed(_held_by(split), "lock_box")
    return holdout(n, val_fraction=share, seed=seed, labels=labels, groups=groups, key=LOCK_BOX)


def _split_all(
    split: Split, n: int, *, labels: NDArray[Any] | None, groups: NDArray[Any] | None
) -> tuple[Indices, Indices]:
    """As if nothing were held out."""
    if split.method == "none":
        return np.arange(n), np.arange(0)
    labels = labels if split.stratified else None
    if split.method == "kfold":
        return _fold(split, n, labels=labels, groups=groups)
    if split.order == "time":
        return latest(n, val_fraction=split.val_fraction)
    fraction, seed = split.val_fraction, split.seed
    if split.draw:
        seed = derive_seed(seed, "holdout split", split.draw)
    return holdout(n, val_fraction=fraction, seed=seed, labels=labels, groups=groups)


def _fold(
    split: Split, n: int, *, labels: NDArray[Any] | None, groups: NDArray[Any] | None
) -> tuple[Indices, Indices]:
    if split.order == "time":
        return in_time(n, n_splits=split.n_splits)[split.fold]
    repeat, fold = divmod(split.fold, split.n_splits)
    seed = derive_seed(split.seed, "repeat", repeat) if repeat else split.seed
    return kfold(n, n_splits=split.n_splits, seed=seed, labels=labels, groups=groups)[fold]


def holdout(
    n: int,
    *,
    val_fraction: float,
    seed: int,
    labels: NDArray[Any] | None = None,
    groups: NDArray[Any] | None = None,
    key: str = VAL_FRACTION,
) -> tuple[Indices, Indices]:
    """Holds ``ceil(n * val_fraction)`` samples out; returns (train, val).

    With ``groups`` it is so many of the groups, whose classes are as they come. ``key``: what
    errors call the fraction.
    """
    _check_val_fraction(val_fraction)
    if groups is not None:
        _check_parts(len(np.unique(groups)), val_fraction, of="groups", key=key)
        splitter = GroupShuffleSplit(1, test_size=val_fraction, random_state=seed)
        train, val = next(splitter.split(np.zeros(n), groups=groups))
        return np.sort(train), np.sort(val)
    fewest = 1 if labels is None else len(np.unique(labels))
    n_val = _check_parts(n, val_fraction, fewest=fewest, key=key)
    if labels is not None:
        _check_smallest_class(labels, at_least=2)
    train, val = train_test_split(np.arange(n), test_size=n_val, random_state=seed, stratify=labels)
    return np.sort(train), np.sort(val)


def latest(n: int, *, val_fraction: float, key: str = VAL_FRACTION) -> tuple[Indices, Indices]:
    """Holds the last ``ceil(n * val_fraction)`` samples out; returns (train, val)."""
    _check_val_fraction(val_fraction)
    n_train = n - _check_parts(n, val_fraction, key=key)
    return np.arange(n_train), np.arange(n_train, n)


def kfold(
    n: int,
    *,
    n_splits: int,
    seed: int,
    labels: NDArray[Any] | None = None,
    groups: NDArray[Any] | None = None,
) -> list[tuple[Indices, Indices]]:
    """Returns (train, val) of each fold; the validation parts are disjoint and cover all samples.

    ``n_splits`` must lie in [2, n], or with labels in [2, size of the smallest class], or with
    groups in [2, number of groups].
    """
    most, of = n if labels is None else _smallest_class(labels), "samples"
    if labels is not None:
        of = "samples in the smallest class"
    if groups is not None and (n_groups := len(np.unique(groups))) <= most:
        most, of = n_groups, "groups"
    if not 2 <= n_splits <= most:
        raise UserError(
            f"cv.n_splits must lie in [2, {most}] (there are {most} {of}), got"
            f" cv.n_splits={n_splits}; lower it or take more data."
        )
    folds = _FOLDS[labels is not None, groups is not None]
    splitter = folds(n_splits, shuffle=True, random_state=seed)
    found = list(splitter.split(np.zeros(n), labels, groups))
    if groups is not None and not all(len(part) for pair in found for part in pair):
        raise UserError(
            f"{len(np.unique(groups))} groups cannot be stratified into cv.n_splits={n_splits}"
            " folds; set cv.stratified=false or lower cv.n_splits."
        )
    return found


_FOLDS = {
    (False, False): KFold,
    (True, False): StratifiedKFold,
    (False, True): GroupKFold,
    (True, True): StratifiedGroupKFold,
}


def in_time(n: int, *, n_splits: int) -> list[tuple[Indices, Indices]]:
    """Returns (train, val) of each fold: a growing part of the past, and what comes next.

    ``n_splits`` must lie in [2, n - 1]; samples lie in the order of time.
    """
    if not 2 <= n_splits <= n - 1:
        raise UserError(
            f"cv.n_splits must lie in [2, {n - 1}] for {n} samples in the order of time, got"
            f" cv.n_splits={n_splits}; lower it or take more data."
        )
    return list(TimeSeriesSplit(n_splits).split(np.zeros(n)))


def subset(n: int, limit: int, *, seed: int, labels: NDArray[np.integer] | None = None) -> Indices:
    """Chooses ``limit`` of n samples, each class in proportion (to within one) if labels are given.

    Subsets of one seed are nested: a larger limit keeps all that a smaller one chose.
    """
    if not 1 <= limit <= n:
        raise UserError(
            f"data.train_limit must lie in [1, {n}], got data.train_limit={limit}; "
            "leave it out (null) to train on all samples."
        )
    order = np.random.default_rng(seed).permutation(n)
    if labels is not None:
        order = _interleave_classes(order, labels)
    return np.sort(order[:limit])


def _interleave_classes(order: Indices, labels: NDArray[np.integer]) -> Indices:
    """Reorders so that every prefix holds the classes in proportion."""
    position = np.empty(len(order))
    for label in np.unique(labels):
        members = order[labels[order] == label]
        position[members] = (np.arange(len(members)) + 0.5) / len(members)
    return order[np.argsort(position[order], kind="stable")]


def _check_parts(
    n: int,
    val_fraction: float,
    *,
    fewest: int = 1,
    of: str = "samples",
    key: str = VAL_FRACTION,
) -> int:
    """How many of ``n`` validate; raises unless ``fewest`` remain in each part."""
    n_val = ceil(n * val_fraction)
    if min(n_val, n - n_val) < fewest:
        raise UserError(
            f"{key}={val_fraction} of {n} {of} gives {n - n_val} for training and "
            f"{n_val} {_USES[key]}, but each part needs {fewest}; "
            f"change {key} or take more data."
        )
    return n_val


def _check_val_fraction(val_fraction: float) -> None:
    if not 0 < val_fraction < 1:
        raise UserError(
            f"cv.val_fraction must lie in (0, 1), got cv.val_fraction={val_fraction}; from Python"
            " split.method=none trains without a validation split."
        )


def _check_smallest_class(labels: NDArray[Any], *, at_least: int) -> None:
    if (smallest := _smallest_class(labels)) < at_least:
        raise UserError(
            f"a stratified split needs {at_least} samples of each class, the smallest class has "
            f"{smallest}; set cv.stratified=false or take more data."
        )


def _smallest_class(labels: NDArray[Any]) -> int:
    return int(np.unique(labels, return_counts=True)[1].min())
