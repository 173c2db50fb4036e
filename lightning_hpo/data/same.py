"""Whether two datasets are one: equal in what they hold, and in how they show it.

Attributes of a dataset are of two kinds. How a sample is seen is decided by its transforms, which
are known by their names; what is held are values that are as many as the samples, datasets below,
and places. What is neither, such as ``self.train = True``, may mean anything.
"""

import functools
import re
import types
from collections.abc import Mapping, Sized
from dataclasses import dataclass, field
from os import PathLike
from typing import Any

import numpy as np
from torch import Tensor
from torch.utils.data import Dataset, Subset

# Pairs that are compared already, or right now; held, so that no other object takes an identity.
Pairs = dict[tuple[int, int], tuple[Any, Any]]

_TRANSFORM = re.compile(
    r"_*([a-z0-9]+_)*(transform(s|ation|ations|er)?|tfms?|augment(er|ation|ations|s)?"
    r"|preprocess(ing|or)?)(_[a-z0-9]+)*"
)
_PLACE = re.compile(r"_*([a-z0-9]+_)*(root|path|dir|directory|folder|file|filename|csv)")
_CONTAINERS = (list, tuple, Tensor, np.ndarray)
_PLAIN = (str, bytes, int, float)
_FUNCTIONS = (types.FunctionType, types.MethodType, functools.partial)


@dataclass
class Difference:
    """Names of the attributes in which two datasets of one class differ, by what they decide."""

    view: list[str] = field(default_factory=list)
    data: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)


def difference(a: Any, b: Any) -> Difference:
    """In what two datasets of one class differ; a class without attributes: in what it holds."""
    found = Difference()
    if isinstance(a, _CONTAINERS) or not hasattr(a, "__dict__"):
        if not equal(a, b):
            (found.data if isinstance(a, _CONTAINERS) else found.unknown).append("itself")
        return found
    for name in sorted({*vars(a), *vars(b)}):
        if name not in vars(a) or name not in vars(b):
            found.unknown.append(name)
        elif not equal(vars(a)[name], vars(b)[name]):
            getattr(found, _kind(name, a, b)).append(name)
    return found


def base_of(dataset: Any) -> tuple[Any, np.ndarray | None]:
    """What lies below all ``Subset`` of ``dataset``, and which of its samples; None: all."""
    index: np.ndarray | None = None
    # A class derived from it may show its samples in a way of its own.
    while type(dataset) is Subset:
        own = np.asarray(dataset.indices, dtype=np.int64)
        index = own if index is None else own[index]
        dataset = dataset.dataset
    return dataset, index


def samples_of(dataset: Any, index: np.ndarray | None) -> np.ndarray:
    """The samples that :func:`base_of` has found, by their numbers."""
    return np.arange(len(dataset)) if index is None else index


def equal(a: Any, b: Any) -> bool:
    """Whether two values are the same, also arrays, functions and objects without ``==``."""
    return _equal(a, b, {})


def _kind(name: str, a: Any, b: Any) -> str:
    both = vars(a)[name], vars(b)[name]
    if _TRANSFORM.fullmatch(name.lower()) and all(map(_is_transform, both)):
        return "view"
    if type(a).__module__.startswith("torchvision.datasets."):
        # Their other arguments say what is read, and which of it.
        return "data"
    if all(isinstance(value, Dataset) for value in both):
        return "data" if _differ_in_data(*both) else "unknown"
    return "data" if all(map(_is_data, (name, name), both, (a, b))) else "unknown"


def _is_transform(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(map(callable, value))
    return value is None or callable(value)


def _is_data(name: str, value: Any, dataset: Any) -> bool:
    if isinstance(value, PathLike | str):
        return bool(_PLACE.fullmatch(name.lower()))
    if isinstance(value, bool):
        return False
    if isinstance(value, int):
        return value == len(dataset)
    n, parts = len(dataset), value if isinstance(value, list | tuple) else ()
    # As the tensors of a TensorDataset.
    if parts and all(isinstance(part, Tensor | np.ndarray) and part.ndim for part in parts):
        return all(len(part) == n for part in parts) or len(parts) == n
    is_scalar = isinstance(value, Tensor | np.ndarray) and value.ndim == 0
    return isinstance(value, Sized) and not is_scalar and len(value) == n


def _differ_in_data(a: Any, b: Any) -> bool:
    """Whether two datasets, which lie below others, show their samples alike."""
    (a, _), (b, _) = base_of(a), base_of(b)
    if a is b:
        return True
    if type(a) is not type(b):
        return False
    found = difference(a, b)
    return not (found.view or found.unknown)


def _equal(a: Any, b: Any, compared: Pairs) -> bool:
    if a is b or (id(a), id(b)) in compared:
        return True
    if type(a) is not type(b):
        return False
    if isinstance(a, _PLAIN):
        return bool(a == b)
    # A tuple leads back to itself by what it holds alone; of paths and labels there are millions.
    if not isinstance(a, tuple):
        compared[id(a), id(b)] = a, b
    if isinstance(a, Tensor | np.ndarray):
        return _equal_arrays(a, b)
    if isinstance(a, Mapping):
        return a.keys() == b.keys() and all(_equal(a[key], b[key], compared) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(_equal, a, b, [compared] * len(a)))
    if hasattr(a, "equals"):
        return bool(a.equals(b))
    return _equal_objects(a, b, compared)


def _equal_arrays(a: Any, b: Any) -> bool:
    if a.dtype != b.dtype or a.shape != b.shape:
        return False
    if isinstance(a, Tensor):
        a, b = a.detach().cpu(), b.detach().cpu()
    # Where neither is a number, both may be missing.
    same = a == b
    return bool((same | ((a != a) & (b != b))).all())


def _equal_objects(a: Any, b: Any, compared: Pairs) -> bool:
    if isinstance(a, _FUNCTIONS):
        return all(map(_equal, _parts(a), _parts(b), [compared] * 4))
    if type(a).__eq__ is not object.__eq__:
        return bool(a == b)
    return hasattr(a, "__dict__") and _equal(vars(a), vars(b), compared)


def _parts(function: Any) -> tuple[Any, ...]:
    """What a function is made of; of one in Python its code and what that refers to."""
    if isinstance(function, functools.partial):
        return function.func, function.args, function.keywords, None
    if isinstance(function, types.MethodType):
        return function.__func__, function.__self__, None, None
    cells = [cell.cell_contents for cell in function.__closure__ or ()]
    return function.__code__, function.__defaults__, function.__kwdefaults__, cells
