"""What data in tensors tell of themselves: the shape of a sample, samples and classes counted."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor


def described(
    shape: Sequence[int],
    train_y: NDArray[Any],
    test_y: Tensor | None,
    names: Sequence[str],
) -> dict[str, Any]:
    """In the form of ``told.DescribesData``.

    train_y, test_y: (N,) targets; ``test_y`` is None while the test data are shut. ``names``: of
    the classes in the order of their numbers; none where targets are no classes.
    """
    tested = None if test_y is None else test_y.cpu().numpy()
    n_test = None if tested is None else len(tested)
    found = {"shape": list(shape), "samples": {"train": len(train_y), "test": n_test}}
    if not names:
        return found
    train, test = _counts(train_y, len(names)), _counts(tested, len(names))
    counts = zip(names, train, test, strict=True)
    return found | {"classes": [{"name": n, "train": a, "test": b} for n, a, b in counts]}


def _counts(y: NDArray[Any] | None, n_classes: int) -> list[int] | list[None]:
    if y is None:
        return [None] * n_classes
    return [int(n) for n in np.bincount(y, minlength=n_classes)]
