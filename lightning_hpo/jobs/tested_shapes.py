"""The test loaders' first batches, by their shapes alone: whether there are any, and like the rest.

Opened before the search, so that files that are missing or a loader that fails do not show when all
the work is done. No network sees the batches, and nothing of their content is looked at.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np
from torch import Tensor

from lightning_hpo.data.base import TensorDataModule
from lightning_hpo.errors import UserError, with_type
from lightning_hpo.flavour import pl
from lightning_hpo.jobs.final_test import why_no_test

# A batch in words: what stands where in it, and of which shape behind the batch's own length.
Shapes = Mapping[str, str]


def check_test_batches(module: pl.LightningModule, data: pl.LightningDataModule) -> str | None:
    """How test batches differ from those of training and validation; None: they do not.

    What training and validation do not share, such as the length of padded texts, is not compared.
    Our own data modules hold the test data like the others, and keep them shut.

    Raises:
        UserError: where no test batch can be read.
    """
    if isinstance(data, TensorDataModule) or why_no_test(module, data) is not None:
        return None
    alike = _shared(list(_known(data)))
    try:
        data.setup("test")
        tests = [shapes(batch) for batch in _first_batches(data.test_dataloader())]
    # The data module is the user's own.
    except Exception as error:
        raise UserError(
            f"the final job needs the test data, but no batch could be read: {with_type(error)};"
            " mend it, or search alone with study.final=false."
        ) from error
    return next(filter(None, (_difference(alike, test) for test in tests)), None)


def shapes(batch: Any, place: str = "batch") -> dict[str, str]:
    """Each part of a batch by its place, such as ``batch[0]`` or ``batch[image]``."""
    if isinstance(batch, Tensor | np.ndarray):
        kind = str(batch.dtype).removeprefix("torch.")
        return {place: f"{kind} {tuple(batch.shape[1:])}"}
    if isinstance(batch, Mapping):
        items: Iterator[tuple[Any, Any]] = iter(batch.items())
    elif isinstance(batch, Sequence) and not isinstance(batch, str | bytes):
        # A list of texts or numbers is one part, as long as the batch.
        if not any(isinstance(part, Tensor | np.ndarray | Mapping | Sequence) for part in batch):
            return {place: type(batch).__name__}
        if all(isinstance(part, str | bytes) for part in batch):
            return {place: f"{type(batch).__name__} of texts"}
        items = iter(enumerate(batch))
    else:
        return {place: type(batch).__name__}
    return {k: v for key, part in items for k, v in shapes(part, f"{place}[{key}]").items()}


def _known(data: pl.LightningDataModule) -> Iterator[Shapes]:
    for loaders in (data.train_dataloader, data.val_dataloader):
        try:
            found = loaders()
        # Lightning's own, where a data module has none.
        except NotImplementedError:
            continue
        yield from (shapes(batch) for batch in _first_batches(found))


def _first_batches(loaders: Any) -> Iterator[Any]:
    """Of one loader, several or named ones; none where there are none."""
    if loaders is None:
        return
    if isinstance(loaders, Mapping):
        loaders = list(loaders.values())
    for loader in loaders if isinstance(loaders, list | tuple) else [loaders]:
        yield from islice(loader, 1)


def _shared(known: Sequence[Shapes]) -> Shapes:
    first, *others = known or [{}]
    return {k: v for k, v in first.items() if all(other.get(k) == v for other in others)}


def _difference(alike: Shapes, test: Shapes) -> str | None:
    for place, shape in alike.items():
        if test.get(place) != shape:
            found = test.get(place, "missing")
            return f"test batches differ from the others: {place} is {found}, not {shape}"
    return None
