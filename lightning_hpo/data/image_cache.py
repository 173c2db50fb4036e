"""Images decoded once: an array in a cache folder, found by the content of their files.

N: files, of which those that are damaged have no row in the array. A folder ``<key>`` holds
``x.npy``, (rows, C, H, W) bytes; ``digests.npy``, (N, 32), SHA-256 of each file; ``facts.json``.
Its key is made of the digests, in their order, and of what they are decoded to. ``stamps`` holds
the keys by paths, sizes and times of the files, so that unchanged files are not read again.
"""

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from lightning_hpo.data.image_decoding import RULES, Form, Header
from lightning_hpo.data.image_reading import Bytes, Reading, Size
from lightning_hpo.errors import UserError

_FOLDER_NAMES = ("stamps", "locks")


@dataclass(frozen=True)
class Decoded:
    """Of N files, in ``folder``.

    ``damaged``: places of those that cannot be decoded, and why. ``original_sizes``: in words.
    """

    folder: Path
    form: Form
    damaged: dict[int, str]
    original_sizes: str
    n_sizes: int

    def digests(self) -> Bytes:
        """SHA-256 of each file, (N, 32)."""
        found: Bytes = np.load(self.folder / "digests.npy", allow_pickle=False)
        return found

    def images(self, memory_bytes: float) -> Bytes:
        """(rows, C, H, W): in memory up to so many bytes, else mapped from the file."""
        path = self.folder / "x.npy"
        return _opened(path, path.stat().st_size > memory_bytes)


def decode_once(
    paths: Sequence[str], size: Size | None, channels: int | None, cache: Path
) -> Decoded:
    """The images of ``paths``, from below ``cache`` or decoded into it.

    ``size`` None: that of all, or the medians of heights and widths; ``channels`` None: 1 if all
    are grey, else 3. Of two processes that ask for the same at a time, one decodes.

    Raises:
        UserError: where nothing can be read or stored.
    """
    stamp = cache / "stamps" / _stamp(paths, _wanted(size, channels))
    try:
        for name in _FOLDER_NAMES:
            (cache / name).mkdir(parents=True, exist_ok=True)
        found = _found(stamp, cache)
        if found is None:
            with _locked(cache / "locks" / stamp.name):
                found = _found(stamp, cache) or _made(paths, size, channels, stamp, cache)
    except OSError as error:
        raise UserError(
            f"decoded images are kept in {cache}, which must be possible, but: {error.strerror}"
            f" ({error.filename or 'no name'}); data.cache_dir names another folder."
        ) from error
    return found


@lru_cache(maxsize=4)
def _opened(path: Path, mapped: bool) -> Bytes:
    """Folds and trials in one process share it.

    Mapped so that nothing that is written there reaches the file, which torch takes for writable.
    """
    found: Bytes = np.load(path, mmap_mode="c" if mapped else None, allow_pickle=False)
    return found


def _stamp(paths: Sequence[str], wanted: bytes) -> str:
    digest = hashlib.sha256(wanted)
    for path in paths:
        try:
            found = os.stat(path)
        except OSError as error:
            raise UserError(f"an image must be readable, got {path} ({error.strerror}).") from None
        stamp = f"{os.path.abspath(path)}\0{found.st_size} {found.st_mtime_ns}\n"
        digest.update(stamp.encode(errors="surrogateescape"))
    return digest.hexdigest()


def _found(stamp: Path, cache: Path) -> Decoded | None:
    try:
        return _read(cache / stamp.read_text())
    except (FileNotFoundError, NotADirectoryError):
        return None


def _read(folder: Path) -> Decoded:
    facts: dict[str, Any] = json.loads((folder / "facts.json").read_text())
    facts["form"] = Form(**facts["form"])
    facts["damaged"] = {int(place): why for place, why in facts["damaged"].items()}
    return Decoded(folder=folder, **facts)


def _made(
    paths: Sequence[str], size: Size | None, channels: int | None, stamp: Path, cache: Path
) -> Decoded:
    """The caller holds the lock of the ``stamp``."""
    unfinished = cache / f"{stamp.name}.part"
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    try:
        reading = Reading(paths, size, channels, unfinished / "x.npy")
        reading.run()
        key = _key(size, channels, reading.digests)
        with _locked(cache / "locks" / key):
            if not (cache / key).is_dir():
                _write_facts(unfinished, reading)
                unfinished.rename(cache / key)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.write_text(key)
    unfinished.replace(stamp)
    return _read(cache / key)


def _key(size: Size | None, channels: int | None, digests: Bytes) -> str:
    return hashlib.sha256(_wanted(size, channels) + digests.tobytes()).hexdigest()


def _wanted(size: Size | None, channels: int | None) -> bytes:
    return f"{RULES} {size} {channels}\n".encode()


def _write_facts(folder: Path, reading: Reading) -> None:
    np.save(folder / "digests.npy", reading.digests)
    headers = reading.headers.values()
    facts = {
        "form": asdict(reading.form),
        "damaged": dict(sorted(reading.damaged.items())),
        "original_sizes": _in_words(headers),
        "n_sizes": len({(header.height, header.width) for header in headers}),
    }
    (folder / "facts.json").write_text(json.dumps(facts))


def _in_words(headers: Iterable[Header]) -> str:
    """Height x width of all, or of the smallest and the largest area."""
    sides = {(header.height, header.width) for header in headers}
    low, high = (choose(sides, key=lambda s: (s[0] * s[1], s)) for choose in (min, max))
    if low == high:
        return f"{low[0]} x {low[1]}"
    return f"{low[0]} x {low[1]} to {high[0]} x {high[1]}"


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """While no other process holds the lock; the file stays, since others may wait for it."""
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
