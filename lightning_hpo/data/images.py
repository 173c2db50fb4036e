"""Images of the user's own: folders of classes, or a table of paths; decoded once, into a cache."""

import hashlib
from collections.abc import Sequence
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lightning_hpo.data import image_facts
from lightning_hpo.data.base import Arrays, TensorDataModule
from lightning_hpo.data.fashion_mnist import default_cache_dir
from lightning_hpo.data.image_cache import Decoded, decode_once
from lightning_hpo.data.image_decoding import (
    DamagedImage,
    Form,
    checked_channels,
    checked_size,
    decoded,
)
from lightning_hpo.data.image_files import Listing, in_folder, in_tables, new_files
from lightning_hpo.errors import UserError
from lightning_hpo.machine.memory import total_bytes

OnDamaged = Literal["error", "skip"]
_Path = str | PathLike[str]


class ImagesDataModule(TensorDataModule):
    """PNG, JPEG, BMP, WebP, GIF or TIFF files of at least two classes, as (C, H, W) bytes.

    Either ``folder`` or ``train_csv`` is given. What becomes of a file's pixels: see
    ``image_decoding``.

    Args:
        folder: holds ``train/<class>/`` and perhaps ``test/<class>/``; without ``train`` its own
            folders are the classes.
        train_csv: a CSV file with a column of paths, from its folder on, and one of classes.
        test_csv: another one, of the test images.
        path_column: the column of paths.
        label_column: that of classes.
        test_fraction: share of the images, in (0, 1), that are the test where there are no test
            images: stratified, and the same whatever the seed.
        size: pixels of a side, or [height, width]; None: that of all files, else the medians.
        channels: 1 or 3; None: 1 if all files are grey.
        on_damaged: a file that cannot be decoded is an "error", or is left out: "skip".
        memory_share: what exceeds this share of the machine's memory is mapped from the cache, and
            shared by processes, in place of being read into the memory of each; in [0, 1].
        cache_dir: of decoded images; None: ``lightning_hpo`` below ``$XDG_CACHE_HOME`` or
            ``~/.cache``.
        **shared: those of ``TensorDataModule``.

    Raises:
        UserError: for an argument outside its range, here; for files that are not there or cannot
            be read, in ``setup``.
    """

    name = "images"

    def __init__(
        self,
        *,
        folder: _Path | None = None,
        train_csv: _Path | None = None,
        test_csv: _Path | None = None,
        path_column: str = "path",
        label_column: str = "label",
        test_fraction: float = 0.2,
        size: int | Sequence[int] | None = None,
        channels: int | None = None,
        on_damaged: OnDamaged = "error",
        memory_share: float = 0.05,
        cache_dir: str | None = None,
        **shared: Any,
    ) -> None:
        super().__init__(**shared)
        _check_sources(folder, train_csv, test_csv)
        if on_damaged not in get_args(OnDamaged):
            raise UserError(
                f"data.on_damaged must be one of {', '.join(get_args(OnDamaged))}, got"
                f" data.on_damaged={on_damaged}."
            )
        _check_share("data.test_fraction", test_fraction, may_be_0=False)
        _check_share("data.memory_share", memory_share, may_be_0=True)
        self.folder, self.train_csv, self.test_csv = folder, train_csv, test_csv
        self.path_column, self.label_column = path_column, label_column
        self.test_fraction = test_fraction
        self.size, self.channels = checked_size(size), checked_channels(channels)
        self.on_damaged, self.memory_share = on_damaged, memory_share
        self.cache_dir = Path(cache_dir).expanduser() if cache_dir else default_cache_dir()
        self._listing: Listing | None = None
        self._decoded: Decoded | None = None

    def load(self) -> Arrays:
        listing = self._listed()
        found = decode_once(listing.paths, self.size, self.channels, self.cache_dir / "images")
        if found.damaged and self.on_damaged == "error":
            raise _damaged(listing, found)
        x = found.images(self.memory_share * total_bytes())
        self._decoded = found
        self._listing = kept = listing.without(found.damaged)
        n, y = kept.n_train, kept.labels
        digest = hashlib.sha256(f"{found.folder.name} {n} {kept.classes}".encode())
        digest.update(y.tobytes())
        return Arrays(x[:n], y[:n], x[n:], y[n:], kept.classes, digest.hexdigest())

    def values(self, name: str) -> NDArray[Any] | None:
        """The column ``name`` of ``train_csv``, as its texts; else an attribute."""
        if self._listing is not None and name in self._listing.columns:
            return self._listing.columns[name]
        return super().values(name)

    def description(self) -> dict[str, Any]:
        """Facts of the images, after ``setup``: plain values; see ``data.told``."""
        assert self._listing is not None and self._decoded is not None, "setup() comes first"
        counts = image_facts.class_counts(self._listing)
        found = super().description()
        # Of training images those that are held out do not count; of the test there is no secret.
        for row, of_class in zip(found["classes"], counts, strict=True):
            row["test"] = of_class["test"]
        found["samples"]["test"] = sum(row["test"] for row in counts)
        return found | {
            "original_sizes": self._decoded.original_sizes,
            "notes": [*self._size_note(self._decoded), *self._listing.notes],
            "warnings": self._warnings,
        }

    def read_samples(self, path: Path) -> Tensor:
        """New images as the study's are, (N, C, H, W): a folder, one file, or a CSV with paths.

        Raises:
            UserError: for what cannot be decoded, whatever ``on_damaged`` says.
        """
        channels, height, width = self.input_shape
        form = Form(height, width, channels)
        return torch.from_numpy(
            np.stack([_new_image(file, form) for file in self.sample_names(path)])
        )

    def sample_names(self, path: Path) -> list[str]:
        """The files of :meth:`read_samples`, in its order."""
        return new_files(path, self.path_column)

    @cached_property
    def _warnings(self) -> list[str]:
        assert self._listing is not None and self._decoded is not None
        damaged = self._decoded.damaged
        digests = np.delete(self._decoded.digests(), list(damaged), axis=0)
        found = list(image_facts.warnings(self._listing, digests))
        if damaged:
            # The listing is of the others by now.
            of_all = self._listed()
            place = min(damaged)
            found.insert(
                0,
                f"damaged images are left out: {len(damaged)} of {len(of_all.paths)}, the first is"
                f" {of_all.paths[place]} ({damaged[place]})",
            )
        return found

    def _size_note(self, found: Decoded) -> list[str]:
        height, width = found.form.height, found.form.width
        if self.size is not None or found.n_sizes == 1:
            return []
        return [
            f"images are resized to {height} x {width}, the medians of their heights and widths;"
            " data.size says another"
        ]

    def _listed(self) -> Listing:
        if self.folder is not None:
            return in_folder(Path(self.folder), test_fraction=self.test_fraction)
        if self.train_csv is None:
            raise UserError(
                "data=images needs data.folder=PATH, which holds train/<class>/, or"
                " data.train_csv=PATH with a column of paths and one of classes; got neither."
            )
        return in_tables(
            Path(self.train_csv),
            None if self.test_csv is None else Path(self.test_csv),
            path_column=self.path_column,
            label_column=self.label_column,
            test_fraction=self.test_fraction,
        )


def _new_image(path: str, form: Form) -> NDArray[np.uint8]:
    try:
        return decoded(Path(path).read_bytes(), form)
    except OSError as error:
        raise UserError(f"an image must be readable, got {path} ({error.strerror}).") from None
    except DamagedImage as error:
        raise UserError(f"{path} must be an image that can be decoded: {error}.") from None


def _damaged(listing: Listing, found: Decoded) -> UserError:
    place = min(found.damaged)
    more = f" (and {len(found.damaged) - 1} more)" if len(found.damaged) > 1 else ""
    return UserError(
        f"{listing.paths[place]}{more} must be an image that can be decoded:"
        f" {found.damaged[place]}; remove it, or data.on_damaged=skip leaves such files out."
    )


def _check_sources(folder: _Path | None, train_csv: _Path | None, test_csv: _Path | None) -> None:
    if folder is not None and (train_csv is not None or test_csv is not None):
        raise UserError(
            f"data.folder and data.train_csv each name all images, got data.folder={folder} and"
            f" data.train_csv={train_csv}; leave one of them out (null)."
        )
    if test_csv is not None and train_csv is None:
        raise UserError(f"data.test_csv={test_csv} needs data.train_csv, got null.")


def _check_share(key: str, value: float, *, may_be_0: bool) -> None:
    if not (0 < value < 1 or (may_be_0 and value == 0)):
        opens = "[" if may_be_0 else "("
        raise UserError(f"{key} must be a share in {opens}0, 1), got {key}={value}.")
