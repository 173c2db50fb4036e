"""Samples from outside a study, as its data module stores its own: read from a file and checked."""

import zipfile
from collections.abc import Sequence
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lightning_hpo.errors import UserError, one_line

TENSOR_FILES = (".npy", ".npz", ".pt")


def read_tensor(path: Path) -> Tensor:
    """The one array in a file of NumPy's or torch's, of which no code is run.

    Raises:
        UserError: for a file that holds something else.
    """
    try:
        found = _torch_file(path) if path.suffix == ".pt" else _numpy_file(path)
    except (OSError, ValueError, EOFError, RuntimeError, UnpicklingError, zipfile.BadZipFile) as e:
        rule = f"{path} must hold an array of numbers as its ending says, but"
        raise UserError(f"{rule}: {one_line(e)}") from None
    return as_tensor(found, str(path))


def as_tensor(x: Any, name: str) -> Tensor:
    """``x`` on the CPU; bytes stay bytes, other numbers become float32 as in a data module.

    Raises:
        UserError: that calls it ``name``, for what is no array of numbers.
    """
    try:
        found = x.detach().cpu() if isinstance(x, Tensor) else _array(x)
    except ValueError as error:
        raise UserError(f"{name} must be an array of numbers, but: {one_line(error)}") from None
    if isinstance(found, np.ndarray):
        if found.dtype.kind not in "iuf":
            raise _no_numbers(name, found.dtype)
        if found.dtype != np.uint8:
            # Too large a number is infinite then, which is not accepted either.
            with np.errstate(over="ignore"):
                found = found.astype(np.float32)
        found = torch.from_numpy(np.ascontiguousarray(found))
    if found.dtype == torch.bool or found.is_complex():
        raise _no_numbers(name, found.dtype)
    return found if found.dtype == torch.uint8 else found.float()


def as_samples(x: Tensor, shape: Sequence[int], name: str) -> Tensor:
    """``x`` as (N, C, ...) of samples of this ``shape``; a single channel may have no axis.

    Raises:
        UserError: for other samples and for none.
    """
    expected = tuple(shape)
    found = x[:, None] if expected[0] == 1 and x.ndim == len(expected) else x
    if tuple(found.shape[1:]) != expected or found.ndim < 2 or not len(found):
        channel = f" or ({_listed(['N', *expected[1:]])})" if expected[0] == 1 else ""
        raise UserError(
            f"{name} must hold samples of the study's shape, ({_listed(['N', *expected])}){channel}"
            f" with N of at least 1, got ({_listed(x.shape)})."
        )
    return found


def require_finite(x: Tensor, name: str, rule: str) -> None:
    """Raise :class:`UserError` with the ``rule`` and the first of the samples that breaks it."""
    if not x.is_floating_point():
        return
    bad = (~x.isfinite()).flatten(1).any(1) if x.ndim > 1 else ~x.isfinite()
    if bad.any():
        first = int(bad.nonzero()[0])
        value = x[first].flatten()[~x[first].flatten().isfinite()][0].item()
        raise UserError(f"{name} {rule}, got {value} in sample {first} (from 0).")


def scaled_otherwise(x: Tensor, mean: Tensor) -> bool:
    """Whether pictures ``x`` (N, ..., H, W) seem to be fractions, and the study's are not.

    mean (C,): of its training split.
    """
    return x.ndim >= 3 and x.is_floating_point() and bool(x.max() <= 1 < mean.max())


def _array(x: Any) -> NDArray[Any]:
    found: NDArray[Any] = np.asarray(x)
    return found.astype(found.dtype.newbyteorder("="), copy=False)


def _numpy_file(path: Path) -> NDArray[Any]:
    # numpy leaves a file open that it cannot read.
    with path.open("rb") as file:
        found = np.load(file, allow_pickle=False)
        if not isinstance(found, np.lib.npyio.NpzFile):
            array: NDArray[Any] = found
            return array
        names = found.files
        if len(names) != 1:
            raise ValueError(f"one array is expected, and it holds {len(names)}: {_listed(names)}")
        return np.asarray(found[names[0]])


def _torch_file(path: Path) -> Tensor:
    found = torch.load(path, map_location="cpu", weights_only=True)
    if not isinstance(found, Tensor):
        raise ValueError(f"one tensor is expected, and it holds a {type(found).__name__}")
    return found


def _no_numbers(name: str, kind: object) -> UserError:
    return UserError(f"{name} must be an array of whole or real numbers, got type {kind}.")


def _listed(parts: Sequence[object]) -> str:
    return ", ".join(map(str, parts))
