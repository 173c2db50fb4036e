"""Which image files a study has and of which class each is: by folders, or by a table of paths."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_hpo.data.csv import filled
from lightning_hpo.data.folds import TEST_FRACTION, holdout
from lightning_hpo.errors import UserError, did_you_mean

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".gif", ".tif", ".tiff")
# The test data are part of the data: no seed of a study draws them.
_TEST_SEED = 0


@dataclass(frozen=True)
class Listing:
    """N image files, the first ``n_train`` to train on, the others to test.

    labels (N,): the number of each one's class, by ``classes``. ``columns``: of a table of paths,
    the texts of its columns in the rows of the training files. ``notes``: what to know of it.
    """

    paths: Sequence[str]
    labels: NDArray[np.int64]
    n_train: int
    classes: tuple[str, ...]
    columns: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def without(self, places: Iterable[int]) -> "Listing":
        """Without the files at ``places``."""
        kept = np.ones(len(self.paths), dtype=bool)
        kept[list(places)] = False
        return self._at(np.flatnonzero(kept), int(kept[: self.n_train].sum()))

    def _at(self, places: NDArray[np.int64], n_train: int) -> "Listing":
        train = places[:n_train]
        return replace(
            self,
            paths=[self.paths[place] for place in places],
            labels=self.labels[places],
            n_train=n_train,
            columns={name: texts[train] for name, texts in self.columns.items()},
        )

    def divided(self, test_fraction: float) -> "Listing":
        """With a share of the training files, the same one always, in the place of the test."""
        counts = np.bincount(self.labels, minlength=len(self.classes))
        if counts.min() < 2:
            raise UserError(
                f"each class needs at least 2 images, one of them to test, got {counts.min()} of"
                f" '{self.classes[int(counts.argmin())]}'; give more, or test images of their own."
            )
        train, test = holdout(
            len(self.paths),
            val_fraction=test_fraction,
            seed=_TEST_SEED,
            labels=self.labels,
            key=TEST_FRACTION,
        )
        note = f"{TEST_FRACTION}={test_fraction:g} of the images are kept for the test"
        found = self._at(np.concatenate((train, test)), len(train))
        return replace(found, notes=(*self.notes, note))


def in_folder(folder: Path, *, test_fraction: float) -> Listing:
    """Images below ``folder/train/<class>`` and ``folder/test/<class>``.

    Classes in the order of their names (of their numbers, where all are numbers), files in each in
    the order of their paths. Without ``test``, a share of the images takes its place. Without
    ``train``, the folders in ``folder`` are the classes.

    Raises:
        UserError: where there is no such folder, or not what it must hold.
    """
    if not folder.is_dir():
        raise UserError(
            f"data.folder must be a folder, got {folder}; relative paths start at {Path.cwd()}."
        )
    train, test = folder / "train", folder / "test"
    divided = train.is_dir()
    names = _class_folders(train if divided else folder)
    found, ignored = _of_classes(train if divided else folder, names)
    if not divided or not test.is_dir():
        return _listing(found, [], notes=_notes(ignored)).divided(test_fraction)
    tested, of_test = _of_classes(test, _class_folders(test))
    unread = [path.name for path in _folders(folder) if path not in (train, test)]
    unread = [f"the folder '{name}' beside 'train' is not read" for name in unread]
    return _listing(found, tested, notes=(*_notes(ignored + of_test), *unread))


def in_tables(
    train_csv: Path,
    test_csv: Path | None,
    *,
    path_column: str,
    label_column: str,
    test_fraction: float,
) -> Listing:
    """Images whose paths, from the table's folder on, and classes are columns of CSV files.

    In the order of the rows; without ``test_csv``, a share of them is to test.

    Raises:
        UserError: where a table cannot be read, or does not hold what it must.
    """
    columns = read_table(train_csv, [path_column, label_column])
    train = _rows(train_csv, columns[path_column], columns[label_column])
    if test_csv is None:
        return _listing(train, [], columns=columns).divided(test_fraction)
    tested = read_table(test_csv, [path_column, label_column])
    test = _rows(test_csv, tested[path_column], tested[label_column])
    return _listing(train, test, columns=columns)


def new_files(path: Path, path_column: str) -> list[str]:
    """New images in ``path``: a folder with folders in it, one file, or a CSV file with paths.

    Raises:
        UserError: where there are none, or they cannot be read.
    """
    if path.is_dir():
        found = [file for file in _files(path) if file.lower().endswith(ENDINGS)]
        if not found:
            raise UserError(f"{path} must hold images ({', '.join(ENDINGS)}), it holds none.")
        return found
    if path.suffix.lower() == ".csv":
        return [str(path.parent / name) for name in read_table(path, [path_column])[path_column]]
    if path.suffix.lower() not in ENDINGS:
        raise UserError(
            f"new images must be a folder, a .csv with a column '{path_column}', or a file of"
            f" {', '.join(ENDINGS)}, got {path}."
        )
    return [str(path)]


def read_table(path: Path, needed: Sequence[str]) -> dict[str, NDArray[Any]]:
    """All columns of a CSV file by their names, texts (rows,), among them the ``needed`` ones.

    Raises:
        UserError: where it cannot be read, or one of these has an empty field.
    """
    records = list(filled(path, "a table of images must be a readable CSV file"))
    if len(records) < 2:
        raise UserError(f"{path} must hold a header and a row for each image, it holds no row.")
    (_, header), rows = records[0], records[1:]
    for name in needed:
        if header.count(name) != 1:
            raise UserError(
                f"{path} must have the column '{name}' once, its columns are: {', '.join(header)};"
                " name yours with data.path_column and data.label_column."
                f"{did_you_mean(name, header)}"
            )
    for line, row in rows:
        if len(row) != len(header):
            raise UserError(
                f"{path}, line {line}: a row must have as many fields as the header"
                f" ({len(header)}), got {len(row)}."
            )
        for name in needed:
            if not row[header.index(name)]:
                raise UserError(f"{path}, line {line}, column '{name}': must not be empty.")
    return {name: np.array([row[i] for _, row in rows]) for i, name in enumerate(header)}


def _rows(table: Path, paths: Iterable[str], labels: Iterable[str]) -> list[tuple[str, str]]:
    return [
        (str(table.parent / path), str(label)) for path, label in zip(paths, labels, strict=True)
    ]


def _listing(
    train: Sequence[tuple[str, str]],
    test: Sequence[tuple[str, str]],
    *,
    columns: Mapping[str, NDArray[Any]] | None = None,
    notes: Sequence[str] = (),
) -> Listing:
    classes = in_order({name for _, name in train})
    if len(classes) < 2:
        raise UserError(
            f"images must be of at least two classes, all {len(train)} are '{classes[0]}'."
        )
    unknown = {name for _, name in test} - set(classes)
    if unknown:
        path = next(path for path, name in test if name in unknown)
        raise UserError(
            f"each class of the test must have training images, '{in_order(unknown)[0]}' has none"
            f" ({path}); add some, or take its test images away."
        )
    number = {name: k for k, name in enumerate(classes)}
    both = [*train, *test]
    labels = np.array([number[name] for _, name in both], dtype=np.int64)
    paths = [path for path, _ in both]
    return Listing(paths, labels, len(train), classes, columns or {}, tuple(notes))


def in_order(names: Iterable[str]) -> tuple[str, ...]:
    """Names of classes in their order: as numbers, where all of them are, else as texts."""
    found = set(names)
    if all(name.isdecimal() for name in found):
        return tuple(sorted(found, key=lambda name: (int(name), name)))
    return tuple(sorted(found))


def _class_folders(folder: Path) -> list[Path]:
    found = _folders(folder)
    if not found:
        raise UserError(
            f"{folder} must hold a folder with images for each class, it holds no folder; see"
            " data.folder, or name a table with data.train_csv."
        )
    return found


def _folders(folder: Path) -> list[Path]:
    return sorted(
        path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")
    )


def _of_classes(folder: Path, names: Sequence[Path]) -> tuple[list[tuple[str, str]], list[str]]:
    """Images with the names of their classes, and the files that are none."""
    found, ignored = [], []
    by_name = {path.name: path for path in names}
    for name in in_order(by_name):
        files = _files(by_name[name])
        images = [path for path in files if path.lower().endswith(ENDINGS)]
        if not images:
            raise UserError(
                f"each folder in {folder} is a class and must hold images ({', '.join(ENDINGS)}),"
                f" '{name}' holds none."
            )
        found += [(path, name) for path in images]
        if len(images) < len(files):
            ignored += sorted(set(files) - set(images))
    return found, ignored


def _files(folder: Path) -> list[str]:
    """All files below, but for hidden ones, in the order of their paths."""
    found: list[str] = []
    for parent, folders, names in os.walk(folder, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [f"{parent}{os.sep}{name}" for name in names if not name.startswith(".")]
    return sorted(found)


def _notes(ignored: Sequence[str]) -> tuple[str, ...]:
    if not ignored:
        return ()
    return (f"files without the ending of an image are not read: {len(ignored)} ({ignored[0]})",)
