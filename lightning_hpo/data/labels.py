"""Values of samples by which folds are made: their classes, their groups; one for each sample."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import ConcatDataset, DataLoader, Dataset, Subset, TensorDataset

from lightning_hpo.data.views import Joined, Views
from lightning_hpo.errors import UserError

Values = NDArray[Any]

# Where datasets and samples keep the class.
_ATTRIBUTES = ("targets", "labels")
_KEYS = ("label", "labels", "target", "targets", "y", "class")

# Labels that a pass over the data has found, by what tells the data. A process that is kept warm
# makes the pass once.
_passed: dict[Any, Values | None] = {}
_MOST_PASSED = 8


def labels_of(views: Views, loader: DataLoader[Any], *, known_as: Any = None) -> Values | None:
    """The class of each sample, (n,), as its dataset knows it, else from a pass; None: no classes.

    ``loader``: of the validation, by whose processes the pass is made. ``known_as``: what tells
    these data from others; None: the pass is made each time.
    """
    for name in _ATTRIBUTES:
        found = values_below(views.val, name)
        if found is not None:
            return classes(found)
    key = None if known_as is None else (known_as, len(views))
    if key is None or key not in _passed:
        found = _pass(views.val, loader)
        if key is None:
            return found
        if len(_passed) >= _MOST_PASSED:
            _passed.clear()
        _passed[key] = found
    return _passed[key]


def values_below(dataset: Any, name: str) -> Values | None:
    """What ``dataset`` knows as ``name`` of each of its samples, also through Subsets and joins."""
    if type(dataset) is Subset:
        below = values_below(dataset.dataset, name)
        return None if below is None else below[np.asarray(dataset.indices, dtype=np.int64)]
    if type(dataset) is Joined:
        found = _one_behind_another((dataset.first, dataset.second), name)
        return None if found is None else found[np.asarray(dataset.index, dtype=np.int64)]
    if isinstance(dataset, ConcatDataset):
        return _one_behind_another(dataset.datasets, name)
    if type(dataset) is TensorDataset and name in _ATTRIBUTES and len(dataset.tensors) > 1:
        return as_values(dataset.tensors[-1], len(dataset))
    return as_values(getattr(dataset, name, None), len(dataset))


def _one_behind_another(datasets: Sequence[Any], name: str) -> Values | None:
    parts = [values_below(part, name) for part in datasets]
    known = [part for part in parts if part is not None]
    return np.concatenate(known) if len(known) == len(parts) else None


def as_values(found: Any, n: int) -> Values | None:
    """``found`` as an array (n,); None unless it holds one value for each of n samples."""
    if isinstance(found, str | bytes | Mapping) or not hasattr(found, "__len__"):
        return None
    if len(found) != n:
        return None
    if isinstance(found, Tensor):
        return found.detach().cpu().numpy()
    return np.asarray(found)


def named(data: Any, views: Views, name: str, *, key: str) -> Values:
    """One value for each sample, (n,), which the data module or its datasets know as ``name``.

    In the order of the samples, or of the dataset of which they are parts.

    Raises:
        UserError: where they know none, by the configuration's ``key``.
    """
    found = as_values(getattr(data, name, None), len(views))
    if found is None and views.places is not None:
        of_all = as_values(getattr(data, name, None), views.n_placed)
        found = None if of_all is None else of_all[views.places]
    if found is None:
        found = values_below(views.val, name)
    return require_values(found, name, type(data).__name__, n=len(views), key=key)


def require_values(found: Values | None, name: str, owner: str, *, n: int, key: str) -> Values:
    """``found`` if it holds one value for each of n samples; else raises :class:`UserError`."""
    if found is None or found.ndim != 1:
        raise UserError(
            f"{key} must name an attribute of {owner} or of its datasets with one value for each of"
            f" the {n} samples, got {key}={name}."
        )
    return found


def require_classes(found: Values, name: str) -> Values:
    """``found`` if they are classes; else raises :class:`UserError`, of ``cv.labels``."""
    if classes(found) is None:
        raise UserError(
            f"cv.labels must name classes, got cv.labels={name} with values of type {found.dtype};"
            " set cv.stratified=false."
        )
    return found


def classes(values: Values) -> Values | None:
    """``values`` if they are classes: whole numbers, truth values or names, one for a sample."""
    return values if values.ndim == 1 and values.dtype.kind in "iubUSO" else None


def are_truth_values(targets: Values) -> bool:
    """Whether all ``targets`` (n,) are 0 or 1, and both are there: they look like two classes."""
    return targets.ndim == 1 and {0, 1} == set(np.unique(targets).tolist())


def _pass(dataset: Dataset[Any], loader: DataLoader[Any]) -> Values | None:
    first = _labels_of([dataset[0]])
    if classes(np.asarray(first)) is None:
        return None
    batches = DataLoader(
        dataset,
        batch_size=256,
        collate_fn=_labels_of,
        num_workers=loader.num_workers,
        worker_init_fn=loader.worker_init_fn,
        multiprocessing_context=loader.multiprocessing_context,
    )
    return classes(np.array([label for batch in batches for label in batch]))


def _labels_of(samples: Sequence[Any]) -> list[Any]:
    return [_label(sample) for sample in samples]


def _label(sample: Any) -> Any:
    if isinstance(sample, Mapping):
        found = next((sample[key] for key in _KEYS if key in sample), None)
    else:
        found = sample[-1] if isinstance(sample, list | tuple) and len(sample) > 1 else None
    if found is None:
        return float("nan")
    return found.tolist() if isinstance(found, Tensor | np.ndarray) else found
