"""Whether samples that are tested are among those that train or validate, as far as can be told."""

from typing import Any

import numpy as np
from torch.utils.data import DataLoader

from lightning_hpo.data.loaders import dataset_of
from lightning_hpo.data.resplit import Resplit
from lightning_hpo.data.same import base_of, difference, samples_of
from lightning_hpo.errors import UserError
from lightning_hpo.flavour import pl


def require_test_apart(parts: Resplit) -> None:
    """Raise :class:`UserError` if test samples are among those that are split; looks at no sample.

    Sets the data module up for its test: not for one that is still to be trained on. What is held
    out of the training data, and takes the place of the test, is apart from them.
    """
    data = parts.data
    if parts.split.held.tested != "test":
        return
    if not pl.utilities.model_helpers.is_overridden("test_dataloader", data):
        return
    with parts.set_aside():
        data.setup("test")
        loaders = _loaders(data)
    for loader in loaders:
        tested: Any = dataset_of(loader)
        n = max(n_shared(tested, dataset) for dataset in parts.datasets)
        if n:
            raise UserError(
                f"the test of {type(data).__name__} would be one of training data: at least {n} of"
                f" its {len(tested)} test samples are among those that are split into folds and"
                " all trained on by the refit; keep them apart, or set cv=holdout cv.final=false."
            )


def n_shared(a: Any, b: Any) -> int:
    """How many samples of dataset ``a`` are in ``b`` for certain."""
    (base, index), (other, others) = base_of(a), base_of(b)
    if base is not other and not _are_one(base, other):
        return 0
    shared = np.intersect1d(samples_of(base, index), samples_of(other, others))
    return len(shared)


def _are_one(a: Any, b: Any) -> bool:
    if type(a) is not type(b) or not hasattr(a, "__len__"):
        return False
    found = difference(a, b)
    return not (found.data or found.unknown)


def _loaders(data: pl.LightningDataModule) -> list[DataLoader[Any]]:
    found: Any = data.test_dataloader()
    listed = found if isinstance(found, list | tuple) else [found]
    return [loader for loader in listed if isinstance(loader, DataLoader)]
