"""A data set on the host, as a data module's ``load`` gives it."""

import hashlib
import mmap
import sys
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Arrays:
    """A data set on the host, in NumPy arrays; N samples, C channels or columns.

    Args:
        train_x: (N, C, H, W) bytes or floats of images, (N, C) floats of rows.
        train_y: (N,), integers from 0 of classes, floats of real-valued targets.
        test_x: as ``train_x``, of other samples.
        test_y: as ``train_y``.
        classes: the names of the classes in the order of their numbers; None: targets have no
            classes, or theirs have no names.
        digest: what tells these data from others, in hexadecimal, where that is known already.

    Of samples that are a ``numpy.memmap``, no more is read than is asked for, and a copy of all of
    them is never made.

    Examples:
        >>> x, y = np.zeros((4, 1, 8, 8), np.uint8), np.array([0, 1, 0, 1])
        >>> Arrays(x, y, x[:2], y[:2], classes=("cat", "dog")).sha256[:8]
        '02418c79'
    """

    train_x: NDArray[Any]
    train_y: NDArray[Any]
    test_x: NDArray[Any]
    test_y: NDArray[Any]
    classes: tuple[str, ...] | None = None
    digest: str | None = None

    @cached_property
    def sha256(self) -> str:
        """``digest``, else that of the bytes of all four arrays, in the order of the fields."""
        if self.digest is not None:
            return self.digest
        digest = hashlib.sha256()
        for array in (self.train_x, self.train_y, self.test_x, self.test_y):
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()


def release(array: NDArray[Any]) -> None:
    """What was read of a memory map is this process's no longer; the next reader finds it cached.

    Nothing of another array, or where the system cannot.
    """
    mapped = getattr(array, "_mmap", None)
    if isinstance(mapped, mmap.mmap) and sys.platform == "linux":
        mapped.madvise(mmap.MADV_DONTNEED)
