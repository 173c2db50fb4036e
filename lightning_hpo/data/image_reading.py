"""Many image files into one array on the disk, in threads; each read once where that is enough.

N: files. Digests and decoders leave Python's lock to others.
"""

import hashlib
import os
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_hpo.data.image_decoding import (
    DamagedImage,
    Form,
    Header,
    decoded,
    decoded_by,
    read_header,
)
from lightning_hpo.data.image_progress import shown
from lightning_hpo.errors import UserError
from lightning_hpo.machine.devices import cpu_cores

Bytes = NDArray[np.uint8]
Size = tuple[int, int]

_BATCH = 64
_MOST_THREADS = 32


class Reading:
    """Decodes files into ``target``, (rows, C, H, W), in their order, damaged ones left out.

    ``size`` and ``channels``: see ``ImagesDataModule``. Where they do not say all, the first file
    stands for the others until one contradicts it; then the pixels are read once more.

    After :meth:`run`: ``form``; ``digests`` (N, 32), SHA-256 of each file; ``headers`` and
    ``damaged``, by the places of files that have a header or a reason why they have no row.
    """

    form: Form

    def __init__(
        self, paths: Sequence[str], size: Size | None, channels: int | None, target: Path
    ) -> None:
        self.paths, self.target = paths, target
        self.size, self.channels = size, channels
        self.digests: Bytes = np.zeros((len(paths), 32), dtype=np.uint8)
        self.headers: dict[int, Header] = {}
        self.damaged: dict[int, str] = {}
        self._is_certain = True

    def run(self) -> None:
        """Raises :class:`UserError` where no file can be decoded, or one cannot be read."""
        self.form = form_of([self._first_header()], self.size, self.channels)
        self._x = self._new_array(self.target, len(self.paths))
        _for_each(self._read, range(len(self.paths)), "Reading images")
        self._require_some()
        form = form_of(list(self.headers.values()), self.size, self.channels)
        if not self._is_certain or form != self.form:
            self.form = form
            self._x = self._new_array(self.target, len(self.paths))
            places = [place for place in range(len(self.paths)) if place not in self.damaged]
            _for_each(self._decode, places, "Decoding images")
            self._require_some()
        self._x.flush()
        if self.damaged:
            self._leave_out_damaged()

    def _first_header(self) -> Header:
        reasons = []
        for path in self.paths:
            try:
                return read_header(content_of(path))
            except DamagedImage as error:
                reasons.append(str(error))
        raise _nothing(self.paths[0], reasons[0])

    def _read(self, place: int) -> None:
        content = content_of(self.paths[place])
        self.digests[place] = np.frombuffer(hashlib.sha256(content).digest(), dtype=np.uint8)

        def choose(header: Header) -> Form | None:
            self.headers[place] = header
            self._is_certain = self._is_certain and self._agrees(header)
            return self.form if self._is_certain else None

        self._keep(place, lambda: decoded_by(content, choose))

    def _agrees(self, header: Header) -> bool:
        """Whether a file is as the first one, in what is left open."""
        sides = (header.height, header.width)
        if self.size is None and sides != (self.form.height, self.form.width):
            return False
        return self.channels is not None or self.form.channels == 3 or header.is_grey

    def _decode(self, place: int) -> None:
        self._keep(place, lambda: decoded(content_of(self.paths[place]), self.form))

    def _keep(self, place: int, decode: Callable[[], Bytes | None]) -> None:
        try:
            pixels = decode()
        except DamagedImage as error:
            self.damaged[place] = str(error)
            return
        if pixels is not None:
            self._x[place] = pixels

    def _require_some(self) -> None:
        if len(self.damaged) == len(self.paths):
            raise _nothing(self.paths[0], self.damaged[0])

    def _leave_out_damaged(self) -> None:
        kept = np.delete(np.arange(len(self._x)), list(self.damaged))
        whole = self.target.with_name("whole.npy")
        compact = self._new_array(whole, len(kept))
        for start in range(0, len(kept), 1024):
            part = kept[start : start + 1024]
            compact[start : start + len(part)] = self._x[part]
        compact.flush()
        whole.replace(self.target)

    def _new_array(self, path: Path, n: int) -> "np.memmap[Any, Any]":
        shape = (n, *self.form.shape)
        found: np.memmap[Any, Any] = np.lib.format.open_memmap(path, "w+", np.uint8, shape)
        # A full disk is an error here, but the end of the process where a page is written.
        if sys.platform == "linux":
            with path.open("r+b") as file:
                os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
        return found


def _nothing(path: str, reason: str) -> UserError:
    return UserError(f"no image can be decoded, the first is {path}: {reason}.")


def form_of(headers: Sequence[Header], size: Size | None, channels: int | None) -> Form:
    """What ``size`` and ``channels`` leave open is by the files.

    It is the medians of their sides, rounded up, and 1 channel if all are grey, else 3.
    """
    if size is None:
        sides = np.array([(header.height, header.width) for header in headers])
        height, width = np.ceil(np.median(sides, axis=0)).astype(int).tolist()
        size = height, width
    if channels is None:
        channels = 1 if all(header.is_grey for header in headers) else 3
    return Form(*size, channels)


def content_of(path: str) -> bytes:
    """Raises :class:`UserError` where nobody may read it."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise UserError(f"an image must be readable, got {path} ({error.strerror}).") from None


def _for_each(do: Callable[[int], None], places: Sequence[int], what: str) -> None:
    parts = [places[start : start + _BATCH] for start in range(0, len(places), _BATCH)]

    def do_part(part: Sequence[int]) -> int:
        for place in part:
            do(place)
        return len(part)

    with ThreadPoolExecutor(min(cpu_cores(), _MOST_THREADS)) as pool:
        shown(pool.map(do_part, parts), total=len(places), what=what)
