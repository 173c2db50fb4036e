"""Which samples train and which validate: pure functions from counts, labels and a seed to indices.

n: number of samples. labels: (n,) class of each sample; given, every part keeps the classes'
proportions. All indices are sorted and zero-based.
"""

from dataclasses import dataclass
from math import ceil
from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.model_selection import KFold, StratifiedKFold, train_test_split
from torch import Tensor

from lightning_hpo.errors import UserError

Method = Literal["holdout", "kfold", "none"]
Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Split:
    """How the training data fall into a training and a validation part.

    Fields of the methods that are not chosen are ignored.

    Args:
        method: "holdout" keeps ``val_fraction`` of the data for validation, "kfold" validates on
            fold ``fold`` of ``n_splits``, "none" trains on everything.
        n_splits: folds, at least 2 and at most the samples of the smallest class.
        fold: the one that validates, from 0 to ``n_splits`` - 1.
        val_fraction: share of the samples, in (0, 1).
        stratified: keep the proportions of the classes in both parts; targets without classes
            have none.
        seed: alone decides who goes where, so all folds of one cross-validation, and all trials
            that shall be comparable, share it.

    Raises :class:`UserError` for a field of the chosen method outside its range.
    """

    method: Method = "holdout"
    n_splits: int = 5
    fold: int = 0
    val_fraction: float = 0.1
    stratified: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        if self.method not in get_args(Method):
            raise UserError(
                f"split.method must be one of {', '.join(get_args(Method))}, got {self.method!r}."
            )
        if self.method == "holdout":
            _check_val_fraction(self.val_fraction)
        if self.method == "kfold":
            if self.n_splits < 2:
                raise UserError(f"n_splits must be at least 2, got n_splits={self.n_splits}.")
            if not 0 <= self.fold < self.n_splits:
                raise UserError(
                    f"fold must lie in [0, {self.n_splits - 1}] for n_splits={self.n_splits}, "
                    f"got fold={self.fold}."
                )


def split_indices(
    split: Split, n: int, *, labels: NDArray[np.integer] | None = None
) -> tuple[Tensor, Tensor]:
    """Returns the training and the validation indices, int64; the latter are empty for ``none``."""
    if not split.stratified:
        labels = None
    if split.method == "none":
        train, val = np.arange(n), np.arange(0)
    elif split.method == "kfold":
        train, val = kfold(n, n_splits=split.n_splits, seed=split.seed, labels=labels)[split.fold]
    else:
        train, val = holdout(n, val_fraction=split.val_fraction, seed=split.seed, labels=labels)
    return torch.from_numpy(train), torch.from_numpy(val)


def holdout(
    n: int, *, val_fraction: float, seed: int, labels: NDArray[np.integer] | None = None
) -> tuple[Indices, Indices]:
    """Holds ``ceil(n * val_fraction)`` samples out; returns (train, val)."""
    _check_val_fraction(val_fraction)
    n_val = ceil(n * val_fraction)
    fewest = 1 if labels is None else len(np.unique(labels))
    if min(n_val, n - n_val) < fewest:
        raise UserError(
            f"val_fraction={val_fraction} of {n} samples gives {n - n_val} for training and "
            f"{n_val} for validation, but each part needs {fewest}; "
            "change val_fraction or take more data."
        )
    if labels is not None:
        _check_smallest_class(labels, at_least=2)
    train, val = train_test_split(np.arange(n), test_size=n_val, random_state=seed, stratify=labels)
    return np.sort(train), np.sort(val)


def kfold(
    n: int, *, n_splits: int, seed: int, labels: NDArray[np.integer] | None = None
) -> list[tuple[Indices, Indices]]:
    """Returns (train, val) of each fold; the validation parts are disjoint and cover all samples.

    ``n_splits`` must lie in [2, n], or with labels in [2, size of the smallest class].
    """
    most = n if labels is None else _smallest_class(labels)
    if not 2 <= n_splits <= most:
        of = "samples" if labels is None else "samples in the smallest class"
        raise UserError(
            f"n_splits must lie in [2, {most}] (there are {most} {of}), got n_splits={n_splits}."
        )
    folds = KFold if labels is None else StratifiedKFold
    splitter = folds(n_splits, shuffle=True, random_state=seed)
    return list(splitter.split(np.zeros(n), labels))


def subset(n: int, limit: int, *, seed: int, labels: NDArray[np.integer] | None = None) -> Indices:
    """Chooses ``limit`` of n samples, each class in proportion (to within one) if labels are given.

    Subsets of one seed are nested: a larger limit keeps all that a smaller one chose.
    """
    if not 1 <= limit <= n:
        raise UserError(
            f"train_limit must lie in [1, {n}], got train_limit={limit}; "
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


def _check_val_fraction(val_fraction: float) -> None:
    if not 0 < val_fraction < 1:
        raise UserError(
            f"val_fraction must lie in (0, 1), got val_fraction={val_fraction}; "
            "split.method=none trains without a validation split."
        )


def _check_smallest_class(labels: NDArray[np.integer], *, at_least: int) -> None:
    if (smallest := _smallest_class(labels)) < at_least:
        raise UserError(
            f"a stratified split needs {at_least} samples of each class, the smallest class has "
            f"{smallest}; set split.stratified=false or take more data."
        )


def _smallest_class(labels: NDArray[np.integer]) -> int:
    return int(np.unique(labels, return_counts=True)[1].min())
