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
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_hpo.data.image_decoding import (
    RULES,
    DamagedImage,
    Form,
    Header,
    decoded,
    read_header,
)
from lightning_hpo.data.image_progress import shown
from lightning_hpo.errors import UserError
from lightning_hpo.machine.devices import cpu_cores

Bytes = NDArray[np.uint8]
Size = tuple[int, int]

_BATCH = 64
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
    are grey, else 3. Of two processes that ask for the same at a time, one decodes. Raises
    :class:`UserError` where nothing can be read or stored.
    """
    wanted = f"{RULES} {size} {channels}\n"
    stamp = cache / "stamps" / _stamp(paths, wanted)
    try:
        for name in _FOLDER_NAMES:
            (cache / name).mkdir(parents=True, exist_ok=True)
        found = _found(stamp, cache)
        if found is None:
            with _locked(cache / "locks" / stamp.name):
                found = _found(stamp, cache) or _made(paths, size, channels, wanted, stamp, cache)
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


def _stamp(paths: Sequence[str], wanted: str) -> str:
    digest = hashlib.sha256(wanted.encode())
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
    paths: Sequence[str],
    size: Size | None,
    channels: int | None,
    wanted: str,
    stamp: Path,
    cache: Path,
) -> Decoded:
    digests, headers, damaged = _examined(paths)
    key = hashlib.sha256(wanted.encode() + digests.tobytes()).hexdigest()
    folder = cache / key
    with _locked(cache / "locks" / key):
        if not folder.is_dir():
            form = _form(headers, size, channels, paths, damaged)
            _write(folder, paths, form, digests, headers, damaged)
    unfinished = stamp.with_suffix(f".{os.getpid()}.part")
    unfinished.write_text(key)
    unfinished.replace(stamp)
    return _read(folder)


def _examined(paths: Sequence[str]) -> tuple[Bytes, list[Header], dict[int, str]]:
    """Digest of each file, headers of those that have one, and why the others have none."""
    digests = np.zeros((len(paths), 32), dtype=np.uint8)
    headers: list[Header] = []
    damaged: dict[int, str] = {}

    def examine(place: int) -> None:
        content = _content(paths[place])
        digests[place] = np.frombuffer(hashlib.sha256(content).digest(), dtype=np.uint8)
        try:
            headers.append(read_header(content))
        except DamagedImage as error:
            damaged[place] = str(error)

    _for_each(examine, range(len(paths)), "Reading images")
    return digests, headers, damaged


def _form(
    headers: Sequence[Header],
    size: Size | None,
    channels: int | None,
    paths: Sequence[str],
    damaged: dict[int, str],
) -> Form:
    if not headers:
        place = min(damaged)
        raise UserError(f"no image can be decoded, the first is {paths[place]}: {damaged[place]}.")
    if size is None:
        sides = np.array([(header.height, header.width) for header in headers])
        height, width = np.ceil(np.median(sides, axis=0)).astype(int).tolist()
        size = height, width
    if channels is None:
        channels = 1 if all(header.is_grey for header in headers) else 3
    return Form(*size, channels)


def _write(
    folder: Path,
    paths: Sequence[str],
    form: Form,
    digests: Bytes,
    headers: Sequence[Header],
    damaged: dict[int, str],
) -> None:
    """The whole folder, or none; the caller holds its lock."""
    unfinished = folder.with_suffix(".part")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    try:
        _decode(unfinished / "x.npy", paths, form, damaged)
        np.save(unfinished / "digests.npy", digests)
        facts = {
            "form": asdict(form),
            "damaged": dict(sorted(damaged.items())),
            "original_sizes": _in_words(headers),
            "n_sizes": len({(header.height, header.width) for header in headers}),
        }
        (unfinished / "facts.json").write_text(json.dumps(facts))
        unfinished.rename(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _decode(target: Path, paths: Sequence[str], form: Form, damaged: dict[int, str]) -> None:
    """Writes the rows of all files, then without those that turn out to be damaged."""
    places = [place for place in range(len(paths)) if place not in damaged]
    rows = {place: row for row, place in enumerate(places)}
    x = _new_array(target, (len(places), *form.shape))
    bad_rows: list[int] = []

    def decode(place: int) -> None:
        try:
            x[rows[place]] = decoded(_content(paths[place]), form)
        except DamagedImage as error:
            damaged[place] = str(error)
            bad_rows.append(rows[place])

    _for_each(decode, places, "Decoding images")
    x.flush()
    if bad_rows:
        _compact(target, x, sorted(bad_rows))


def _compact(target: Path, x: "np.memmap[Any, Any]", bad_rows: Sequence[int]) -> None:
    kept = np.delete(np.arange(len(x)), bad_rows)
    if not len(kept):
        raise UserError("no image can be decoded: all of them are damaged.")
    whole = target.with_name("whole.npy")
    compact = _new_array(whole, (len(kept), *x.shape[1:]))
    for start in range(0, len(kept), 1024):
        part = kept[start : start + 1024]
        compact[start : start + len(part)] = x[part]
    compact.flush()
    whole.replace(target)


def _new_array(path: Path, shape: tuple[int, ...]) -> "np.memmap[Any, Any]":
    found: np.memmap[Any, Any] = np.lib.format.open_memmap(path, "w+", np.uint8, shape)
    # A full disk is an error here, but the end of the process where a page is written.
    if sys.platform == "linux":
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    return found


def _for_each(do: Any, places: Sequence[int], what: str) -> None:
    """In threads: decoders and digests leave Python's lock to others."""
    parts = [places[start : start + _BATCH] for start in range(0, len(places), _BATCH)]

    def do_part(part: Sequence[int]) -> int:
        for place in part:
            do(place)
        return len(part)

    with ThreadPoolExecutor(min(cpu_cores(), 32)) as pool:
        shown(pool.map(do_part, parts), total=len(places), what=what)


def _content(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise UserError(f"an image must be readable, got {path} ({error.strerror}).") from None


def _in_words(headers: Sequence[Header]) -> str:
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
