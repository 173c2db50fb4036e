"""Fashion-MNIST from the cache folder, from Debian's package, or downloaded by torchvision.

``python -m lightning_hpo.data.fashion_mnist`` gets the files, checks them and says where they are.
"""

import argparse
import gzip
import hashlib
import os
import socket
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from http.client import HTTPException
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_hpo.data.base import Arrays, TensorDataModule
from lightning_hpo.errors import UserError

SYSTEM_DIR = "/usr/share/datasets/fashion-mnist"
CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)

# md5 of each file as its authors publish it (torchvision's FashionMNIST.resources), then as
# Debian compressed the same content again.
CHECKSUMS = {
    "train-images-idx3-ubyte.gz": (
        "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        "cf8536b0aa1a6ac5fa3f23001093305c",
    ),
    "train-labels-idx1-ubyte.gz": (
        "25c81989df183df01b3e8a0aad5dffbe",
        "10bea18fdb374794d4bb42e356e600c9",
    ),
    "t10k-images-idx3-ubyte.gz": (
        "bef4ecab320f06d8554ea6380940ec79",
        "f78720b4224f21cce2f2ccf2d7a94c9a",
    ),
    "t10k-labels-idx1-ubyte.gz": (
        "bb300cfdad3c16e7a12a480ee83cd310",
        "0d30e22e447f3c33dab9ed536400ac01",
    ),
}

_DOWNLOAD_TIMEOUT_S = 30.0


class FashionMNISTDataModule(TensorDataModule):
    """60,000 training and 10,000 test images, (1, 28, 28) bytes, ten classes of clothing.

    The data are those of Xiao, Rasul and Vollgraf 2017, arXiv:1708.07747.

    Args:
        cache_dir: where the four ``.gz`` files are looked for first, in torchvision's layout; None:
            ``lightning_hpo`` below ``$XDG_CACHE_HOME`` or ``~/.cache``.
        system_dir: where they are looked for next.
        download: fetch them into ``cache_dir`` where they are in neither.
        **shared: those of ``TensorDataModule``.

    Raises:
        UserError: for an argument outside its range, here; for files that are missing or damaged,
            in ``setup``.
    """

    name = "fashion_mnist"

    def __init__(
        self,
        *,
        cache_dir: str | None = None,
        system_dir: str = SYSTEM_DIR,
        download: bool = True,
        **shared: Any,
    ) -> None:
        super().__init__(**shared)
        self.cache_dir = Path(cache_dir).expanduser() if cache_dir else default_cache_dir()
        self.system_dir = Path(system_dir)
        self.download = download

    def prepare_data(self) -> None:
        verify(self._folder())

    def load(self) -> Arrays:
        return read(self._folder())

    def _folder(self) -> Path:
        return locate(self.cache_dir, self.system_dir, download=self.download)


def default_cache_dir() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lightning_hpo"


def locate(cache_dir: Path, system_dir: Path, *, download: bool = True) -> Path:
    """Returns the first folder that holds all four files, downloading them if none does."""
    cached = cache_dir / "FashionMNIST" / "raw"
    for folder in (cached, system_dir):
        if all((folder / name).is_file() for name in CHECKSUMS):
            return folder
    try:
        if not download:
            raise OSError("switched off by download=false")
        _download(cached)
    except (OSError, RuntimeError, HTTPException) as error:
        raise UserError(
            f"Fashion-MNIST was not found. Three ways to get it: put its four .gz files into "
            f"{cached}; apt install dataset-fashion-mnist, which fills {system_dir}; or let it be "
            f"downloaded, which failed here: {' '.join(str(error).split())}"
        ) from error
    return cached


def _download(folder: Path) -> None:
    """Files reach ``folder`` whole or not at all.

    Neither an interrupt nor a second process that downloads at the same time can leave a damaged
    one there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix="download-") as scratch:
        from torchvision.datasets import FashionMNIST  # slow, and needed only here

        with socket_timeout(_DOWNLOAD_TIMEOUT_S):
            fetched = Path(FashionMNIST(scratch, download=True).raw_folder)
        for name in CHECKSUMS:
            os.replace(fetched / name, folder / name)


@contextmanager
def socket_timeout(seconds: float) -> Iterator[None]:
    """Within it a silent server cannot hold us for ever; torchvision sets no timeout."""
    previous = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(previous)


def verify(folder: Path) -> None:
    """Raises for the first of the four files whose md5 is neither the authors' nor Debian's."""
    for name, expected in CHECKSUMS.items():
        path = folder / name
        actual = _md5(path, _stamp(path))
        if actual not in expected:
            raise UserError(
                f"{path} is damaged: its md5 must be {' or '.join(expected)}, got {actual}; "
                "delete the file and run again."
            )


def _stamp(path: Path) -> tuple[int, int, int]:
    """Changes with the file."""
    stat = path.stat()
    return stat.st_mtime_ns, stat.st_size, stat.st_ino


# Each fit has its data checked twice, which takes a fifth of a second.
@lru_cache(maxsize=2 * len(CHECKSUMS))
def _md5(path: Path, stamp: tuple[int, int, int]) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()


def read(folder: Path) -> Arrays:
    """Checks and reads the four files; folds and trials in one process share a single copy."""
    return _read(folder, tuple(_stamp(folder / name) for name in CHECKSUMS))


@lru_cache(maxsize=1)
def _read(folder: Path, stamps: tuple[tuple[int, int, int], ...]) -> Arrays:
    verify(folder)
    train_x, train_y, test_x, test_y = (read_idx(folder / name) for name in CHECKSUMS)
    for split, x, y in (("train", train_x, train_y), ("t10k", test_x, test_y)):
        if x.ndim != 3 or y.shape != x.shape[:1]:
            raise UserError(
                f"{folder} must hold as many labels as images in its {split} files, got images "
                f"{x.shape} and labels {y.shape}; delete the folder's files and run again."
            )
    return Arrays(train_x[:, None], train_y, test_x[:, None], test_y, CLASSES)


def read_idx(path: Path) -> NDArray[np.uint8]:
    """Reads a gzipped idx file of unsigned bytes.

    It holds 0, 0, type 8, the number of axes, their lengths as big-endian 32-bit numbers, then the
    values.
    """
    with gzip.open(path) as file:
        content = bytearray(file.read())  # writable, which torch.from_numpy asks for
    shape = _idx_shape(content)
    if shape is None:
        raise UserError(
            f"{path} must be an idx file of unsigned bytes, whole, got {len(content)} bytes that "
            f"begin with {content[:4].hex()}; delete the file and run again."
        )
    return np.frombuffer(content, np.uint8, offset=4 + 4 * len(shape)).reshape(shape)


def _idx_shape(content: bytearray) -> tuple[int, ...] | None:
    """The lengths of the axes, or None where the content does not agree with its header."""
    header = 4 + 4 * content[3] if len(content) > 3 else 4
    if content[:3] != b"\0\0\x08" or len(content) < header:
        return None
    shape = tuple(int(n) for n in np.frombuffer(content[4:header], ">u4"))
    return shape if len(content) == header + prod(shape) else None


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m lightning_hpo.data.fashion_mnist",
        description="Get Fashion-MNIST, check its files and say where they are.",
    )
    parser.add_argument("--cache-dir", type=Path, default=default_cache_dir())
    parser.add_argument("--system-dir", type=Path, default=Path(SYSTEM_DIR))
    parser.add_argument("--no-download", dest="download", action="store_false")
    parser.add_argument(
        "--quiet", action="store_true", help="without the files, say so by the exit status alone"
    )
    options = parser.parse_args(arguments)
    try:
        folder = locate(options.cache_dir, options.system_dir, download=options.download)
        verify(folder)
    except UserError as error:
        if not options.quiet:
            print(error, file=sys.stderr)
        return 1
    print(f"Fashion-MNIST is complete in {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
