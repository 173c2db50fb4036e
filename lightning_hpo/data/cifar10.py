"""CIFAR-10 from its own files, which its authors publish for Python and as plain bytes."""

import hashlib
import os
import pickle
import tempfile
from functools import lru_cache
from http.client import HTTPException
from io import BytesIO
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_hpo.data.base import Arrays, TensorDataModule
from lightning_hpo.data.fashion_mnist import default_cache_dir, socket_timeout
from lightning_hpo.errors import UserError

CLASSES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)

# md5 of each file for Python, in the order of the images, as torchvision's CIFAR10 has them.
CHECKSUMS = {
    "data_batch_1": "c99cafc152244af753f735de768cd75f",
    "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
    "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
    "data_batch_4": "634d18415352ddfa80567beed471001a",
    "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
    "test_batch": "40351d587109b95175f43aff81a1287e",
}
FOR_PYTHON, AS_BYTES = "cifar-10-batches-py", "cifar-10-batches-bin"
IMAGES_PER_FILE = 10_000

_SHAPE = (3, 32, 32)
_PIXELS = 3 * 32 * 32
_DOWNLOAD_TIMEOUT_S = 30.0
_SOURCE = "https://www.cs.toronto.edu/~kriz/cifar.html"


class CIFAR10DataModule(TensorDataModule):
    """50,000 training and 10,000 test images, (3, 32, 32) bytes, ten classes.

    The data are those of Krizhevsky 2009, "Learning multiple layers of features from tiny images".

    Args:
        folder: holds the six files, or the folder that their archive makes; of both versions, that
            for Python is read. None: ``CIFAR10`` in ``lightning_hpo`` below ``$XDG_CACHE_HOME`` or
            ``~/.cache``.
        download: fetch them into it where they are missing.
        **shared: those of ``TensorDataModule``.

    Raises:
        UserError: for an argument outside its range, here; for files that are missing or damaged,
            in ``setup``.
    """

    name = "cifar10"

    def __init__(
        self,
        *,
        folder: str | PathLike[str] | None = None,
        download: bool = False,
        **shared: Any,
    ) -> None:
        super().__init__(**shared)
        self.folder = default_cache_dir() / "CIFAR10" if folder is None else Path(folder)
        self.download = download

    def load(self) -> Arrays:
        return read(locate(self.folder, download=self.download))


def locate(folder: Path, *, download: bool = False) -> list[Path]:
    """The six files, the test's last; raises :class:`UserError` where they are missing."""
    folder = folder.expanduser()
    for place in (folder, folder / FOR_PYTHON, folder / AS_BYTES):
        for ending in ("", ".bin"):
            found = [place / f"{name}{ending}" for name in CHECKSUMS]
            if all(path.is_file() for path in found):
                return found
    try:
        if not download:
            raise OSError("switched off by data.download=false")
        return _download(folder)
    except (OSError, RuntimeError, HTTPException) as error:
        raise UserError(
            f"CIFAR-10 was not found in {folder}. Two ways to get it: unpack its archive for Python"
            f" or its binary one, from {_SOURCE}, there or where data.folder says; or let it be"
            f" downloaded, which failed here: {' '.join(str(error).split())}"
        ) from error


def _download(folder: Path) -> list[Path]:
    """Files reach ``folder`` whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix="download-") as scratch:
        from torchvision.datasets import CIFAR10  # slow, and needed only here

        with socket_timeout(_DOWNLOAD_TIMEOUT_S):
            CIFAR10(scratch, download=True)
        for name in CHECKSUMS:
            os.replace(Path(scratch) / FOR_PYTHON / name, folder / name)
    return [folder / name for name in CHECKSUMS]


def read(paths: list[Path]) -> Arrays:
    """Checks and reads the files; folds and trials in one process share a single copy."""
    stamps = ((path.stat().st_mtime_ns, path.stat().st_size) for path in paths)
    return _read(tuple(paths), tuple(stamps))


@lru_cache(maxsize=1)
def _read(paths: tuple[Path, ...], stamps: tuple[tuple[int, int], ...]) -> Arrays:
    parts = [_bytes_file(path) if path.suffix == ".bin" else _python_file(path) for path in paths]
    images, labels = zip(*parts, strict=True)
    train_x, train_y = np.concatenate(images[:-1]), np.concatenate(labels[:-1])
    return Arrays(train_x, train_y, images[-1], labels[-1], CLASSES)


def _bytes_file(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Records of one byte, the class, and 3072 bytes, the pixels."""
    content = path.read_bytes()
    if len(content) != IMAGES_PER_FILE * (1 + _PIXELS):
        raise _damaged(path, f"{IMAGES_PER_FILE * (1 + _PIXELS)} bytes", f"{len(content)}")
    # A copy of its own is writable, which torch.from_numpy asks for.
    records = np.frombuffer(content, np.uint8).reshape(IMAGES_PER_FILE, 1 + _PIXELS)
    return _checked(path, records[:, 1:].copy(), records[:, 0].copy())


def _python_file(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    content = path.read_bytes()
    actual = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if actual != CHECKSUMS[path.name]:
        raise _damaged(path, f"the md5 {CHECKSUMS[path.name]}", actual)
    return unpickled(path, content)


def unpickled(path: Path, content: bytes) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Images (N, C, H, W) and labels (N,) of a file for Python, of which no code is run."""
    try:
        found = _ArraysOnly(BytesIO(content), encoding="bytes").load()
        images, labels = found[b"data"], np.array(found[b"labels"])
    except Exception as error:  # A pickle may lead to any.
        what = " ".join(str(error).split())
        raise _damaged(path, "a pickle of arrays with b'data' and b'labels'", what) from None
    return _checked(path, images, labels)


class _ArraysOnly(pickle.Unpickler):
    """Makes arrays and what Python has itself, and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        # Modules of NumPy have moved since the files were written.
        known = {
            "_reconstruct": np.empty(0).__reduce__()[0],
            "ndarray": np.ndarray,
            "dtype": np.dtype,
            "encode": _encoded,
        }
        if module.partition(".")[0] not in ("numpy", "_codecs") or name not in known:
            raise pickle.UnpicklingError(f"{module}.{name}, which is no array")
        return known[name]


def _encoded(text: str, encoding: str) -> bytes:
    """How pickles of an old protocol hold bytes."""
    return text.encode(encoding)


def _checked(path: Path, images: Any, labels: Any) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    shape = (IMAGES_PER_FILE, _PIXELS)
    if not isinstance(images, np.ndarray) or images.shape != shape or images.dtype != np.uint8:
        got = f"{images.shape} {images.dtype}" if isinstance(images, np.ndarray) else images
        raise _damaged(path, f"bytes {shape}", str(got))
    if labels.shape != shape[:1] or labels.dtype.kind not in "iu":
        raise _damaged(path, f"{IMAGES_PER_FILE} labels", f"{labels.shape} {labels.dtype}")
    if labels.min() < 0 or labels.max() >= len(CLASSES):
        raise _damaged(path, "labels from 0 to 9", f"{labels.min()} to {labels.max()}")
    return images.reshape(-1, *_SHAPE), labels.astype(np.uint8)


def _damaged(path: Path, expected: str, got: str) -> UserError:
    return UserError(
        f"{path} is damaged: it must hold {expected}, got {got}; unpack its archive ({_SOURCE})"
        " again."
    )
