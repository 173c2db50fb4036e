"""All samples that a data module trains and validates on, each as training and validation see it.

Training and validation datasets differ in their transforms. Which of them a sample is seen through
is the fold's to say: through the training view where it trains, through the validation view where
it validates. What cannot be told of two datasets is never guessed.
"""

import copy
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Dataset, IterableDataset, Subset

from lightning_hpo.data.same import base_of, difference, samples_of
from lightning_hpo.errors import UserError, with_type
from lightning_hpo.flavour import pl

Indices = NDArray[np.int64]


class Joined(Dataset[Any]):
    """Samples of two datasets, by their places in the one behind the other.

    Flat, since what is paid for each sample is paid in every epoch; read in batches where it can.
    """

    def __init__(self, first: Any, second: Any, index: Sequence[int]) -> None:
        self.first, self.second, self.index = first, second, index
        self._n = len(first)
        self._in_batches = hasattr(first, "__getitems__") or hasattr(second, "__getitems__")

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, place: int) -> Any:
        i = self.index[place]
        return self.first[i] if i < self._n else self.second[i - self._n]

    def __getitems__(self, places: Sequence[int]) -> list[Any]:
        index, n, first, second = self.index, self._n, self.first, self.second
        if not self._in_batches:
            return [first[i] if (i := index[place]) < n else second[i - n] for place in places]
        chosen = [index[place] for place in places]
        firsts = iter(_samples(first, [i for i in chosen if i < n]))
        seconds = iter(_samples(second, [i - n for i in chosen if i >= n]))
        return [next(firsts) if i < n else next(seconds) for i in chosen]


def part(dataset: Any, places: Sequence[int]) -> Dataset[Any]:
    """The samples of ``dataset`` at ``places``; of what is a part already, without a layer more."""
    if type(dataset) is Subset:
        return Subset(dataset.dataset, [dataset.indices[place] for place in places])
    if type(dataset) is Joined:
        index = [dataset.index[place] for place in places]
        return Joined(dataset.first, dataset.second, index)
    return Subset(dataset, places)


@dataclass(frozen=True)
class Views:
    """n samples, the same ones in the same order, in two datasets.

    ``places`` (n,): which samples of the user's one dataset they are, ``n_placed`` that it has;
    None where they come from several.
    """

    train: Dataset[Any]
    val: Dataset[Any]
    places: Indices | None = None
    n_placed: int = 0

    def __len__(self) -> int:
        return len(self.val)  # type: ignore[arg-type]


class CannotTell(UserError):
    """Why the two views of these data cannot be told; the caller knows what leads on."""


def find_views(
    data: pl.LightningDataModule, train: Any, val: Any, eval_dataset: str | None = None
) -> Views:
    """The views of ``data``, whose loaders read the datasets ``train`` and ``val``.

    ``eval_dataset``: the attribute of ``data`` with the samples that training reads, as validation
    sees them.

    Raises:
        CannotTell: with the reason, where they cannot be told.
    """
    told = _told(data)
    if told is not None:
        return told
    for dataset in (train, val):
        _require_map_style(dataset)
    (train_base, train_index), (val_base, val_index) = base_of(train), base_of(val)
    if eval_dataset is not None:
        seen = _named(data, eval_dataset, train_base)
        if val_base is not seen and val_base is not train_base:
            raise CannotTell(
                f"cv.eval_dataset={eval_dataset} is for data whose validation part is a Subset of"
                " it or of the dataset that training reads, which this one is not"
            )
        return _of_one((train_base, train_index), (seen, val_index))
    if train_base is val_base:
        return _of_one((train_base, train_index), (val_base, val_index))
    return _of_two((train_base, train_index), (val_base, val_index))


def _told(data: pl.LightningDataModule) -> Views | None:
    """By the method ``datasets(view)`` of the data module, if it has one."""
    method = getattr(data, "datasets", None)
    if not callable(method) or not _takes_a_view(method):
        return None
    train: Any = method("train")
    val: Any = method("val")
    _require_map_style(train)
    _require_map_style(val)
    if len(train) != len(val):
        raise CannotTell(
            f"its method datasets(view) must give the same samples in both views, got {len(train)}"
            f" in 'train' and {len(val)} in 'val'"
        )
    return Views(train, val)


def _takes_a_view(method: Callable[..., Any]) -> bool:
    try:
        inspect.signature(method).bind("train")
    except TypeError:
        return False
    return True


def _named(data: pl.LightningDataModule, name: str, train_base: Any) -> Any:
    found: Any = getattr(data, name, None)
    if not hasattr(found, "__getitem__") or not hasattr(found, "__len__"):
        raise CannotTell(
            f"cv.eval_dataset must name an attribute of {type(data).__name__} that is a dataset"
            f" after setup, got cv.eval_dataset={name} ({type(found).__name__})"
        )
    n: int = len(train_base)
    if len(found) != n:
        raise CannotTell(
            f"cv.eval_dataset={name} must have the {n} samples of the dataset that"
            f" training reads, got {len(found)}"
        )
    return found


Side = tuple[Any, Indices | None]


def _of_one(train: Side, val: Side) -> Views:
    """Of two parts of one dataset, whose bases show its samples as training and validation do.

    In the order of that dataset, however it was split.
    """
    places = _places([samples_of(*train), samples_of(*val)])
    places.sort()
    index = places.tolist()
    seen = Subset(train[0], index)
    in_val = seen if val[0] is train[0] else Subset(val[0], index)
    return Views(seen, in_val, places, len(train[0]))


def _of_two(train: Side, val: Side) -> Views:
    (train_base, _), (val_base, _) = train, val
    if type(train_base) is not type(val_base):
        raise CannotTell(
            f"training reads a {type(train_base).__name__} and validation a"
            f" {type(val_base).__name__}"
        )
    found = difference(train_base, val_base)
    if found.unknown:
        names = ", ".join(_shown(name, train_base, val_base) for name in found.unknown)
        raise CannotTell(
            f"two {type(train_base).__name__} differ in more than data and transforms: {names}"
        )
    if not found.data:
        return _of_one(train, val) if found.view else _of_one(train, (train_base, val[1]))
    return _of_several(train, val, found.view, found.data)


def _of_several(train: Side, val: Side, view: Sequence[str], data: Sequence[str]) -> Views:
    """Of datasets with samples of their own: training ones, then validation ones.

    Where both stand on parts of one dataset, in the order of that.
    """
    (first, _), (second, _) = train, val
    index = np.concatenate((samples_of(*train), len(first) + samples_of(*val)))
    order = _order_below(train, val, data)
    if order is not None:
        index = index[order]
    places = index.tolist()
    if not view:
        seen = Joined(first, second, places)
        return Views(seen, seen)
    return Views(
        Joined(first, seen_through(second, first, view), places),
        Joined(seen_through(first, second, view), second, places),
    )


def seen_through(dataset: Any, other: Any, names: Sequence[str]) -> Any:
    """A copy of ``dataset`` with the attributes ``names`` of ``other``; the samples are shared.

    Lists, sets and dictionaries are its own: one may keep what a transform has made.
    """
    seen = copy.copy(dataset)
    for name, value in vars(seen).items():
        if type(value) in (list, set, dict):
            vars(seen)[name] = copy.copy(value)
    vars(seen).update({name: vars(other)[name] for name in names})
    return seen


def _order_below(train: Side, val: Side, names: Sequence[str]) -> Indices | None:
    """The order of the one dataset on parts of which both stand; None: there is none such."""
    for name in names:
        below = [base_of(vars(base).get(name)) for base, _ in (train, val) if hasattr(base, name)]
        if len(below) != 2 or below[0][0] is not below[1][0]:
            continue
        sides = zip(below, (train, val), strict=True)
        chosen = [samples_of(*part)[samples_of(*side)] for part, side in sides]
        return np.argsort(_places(chosen), kind="stable")
    return None


def _places(parts: Sequence[Indices]) -> Indices:
    """Training and validation samples one behind the other; none may occur twice."""
    places = np.concatenate(parts)
    shared = np.intersect1d(parts[0], parts[1])
    if len(shared):
        raise CannotTell(
            f"{len(shared)} of {len(parts[1])} validation samples are training samples too"
        )
    if len(np.unique(places)) < len(places):
        raise CannotTell("some samples occur more than once, so would train and validate")
    return places


def _samples(dataset: Any, index: list[int]) -> Sequence[Any]:
    if not index:
        return []
    in_batches = getattr(dataset, "__getitems__", None)
    return in_batches(index) if callable(in_batches) else [dataset[i] for i in index]


def _require_map_style(dataset: Any) -> None:
    if isinstance(dataset, IterableDataset):
        raise CannotTell(
            f"{type(dataset).__name__} is an IterableDataset, whose samples come one after the"
            " other and cannot be chosen"
        )
    if not hasattr(dataset, "__getitem__") or not hasattr(dataset, "__len__"):
        raise CannotTell(f"{type(dataset).__name__} has no length or no samples by their number")
    try:
        n = len(dataset)
    except (TypeError, NotImplementedError) as error:
        raise CannotTell(f"{type(dataset).__name__} has no length ({with_type(error)})") from None
    if not n:
        raise CannotTell(f"{type(dataset).__name__} has no samples")


def _shown(name: str, a: Any, b: Any) -> str:
    values = [str(getattr(x, name, None)) for x in (a, b)]
    if max(map(len, values)) > 30 or "\n" in "".join(values):
        return name
    return f"{name} ({values[0]} and {values[1]})"
