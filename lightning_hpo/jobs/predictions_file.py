"""Predictions as a table: CSV on a stream or in a file, Parquet; a file is there whole or not."""

import csv
import os
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from lightning_hpo.errors import UserError, missing_package

if TYPE_CHECKING:
    from lightning_hpo.jobs.predictor import Predictions

_PARQUET = ".parquet"


def require_writable(out: Path, samples: Path) -> None:
    """Raise :class:`UserError` where predictions of ``samples`` cannot be written to ``out``."""
    if out.suffix.lower() not in (".csv", _PARQUET):
        raise UserError(f"--out must end in .csv or {_PARQUET}, got {out}.")
    if not out.parent.is_dir():
        raise UserError(f"--out must lie in a folder that exists, got {out}.")
    if out.is_dir() or out.resolve() == samples.resolve():
        raise UserError(f"--out must be a file of its own, got {out}.")
    if out.suffix.lower() == _PARQUET and find_spec("pyarrow") is None:
        raise missing_package(f"--out {out}", "pyarrow")


def table(found: "Predictions") -> tuple[list[str], list[list[Any]]]:
    """Names and columns: the file of each sample, where it has one, and what is predicted."""
    names, columns = _predicted(found)
    if found.file is None:
        return names, columns
    return ["file", *names], [list(found.file), *columns]


def _predicted(found: "Predictions") -> tuple[list[str], list[list[Any]]]:
    """Of classes their names, and the probabilities of the one predicted and of each."""
    if found.probability is None or found.classes is None:
        return ["prediction"], [found.number.tolist()]
    names = ["prediction", "probability", *(f"p_{name}" for name in found.classes)]
    chosen = [found.classes[number] for number in found.number]
    of_chosen = found.probability[range(len(chosen)), found.number]
    return names, [chosen, of_chosen.tolist(), *found.probability.T.tolist()]


def write_csv(found: "Predictions", file: TextIO) -> None:
    """A header, then a row for each sample, numbers with nine digits: those of single precision."""
    names, columns = table(found)
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(names)
    writer.writerows(_shown(zip(*columns, strict=True)))


def write_file(found: "Predictions", out: Path) -> None:
    """Put a whole file in the place of ``out``; raises :class:`UserError` where nobody may."""
    target = out.resolve()
    unfinished = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        if out.suffix.lower() == _PARQUET:
            _write_parquet(found, unfinished)
        else:
            with unfinished.open("w", encoding="utf-8", newline="") as file:
                write_csv(found, file)
        os.replace(unfinished, target)
    except OSError as error:
        raise UserError(f"--out must be writable, got {out} ({error.strerror}).") from None
    finally:
        unfinished.unlink(missing_ok=True)


def _write_parquet(found: "Predictions", path: Path) -> None:
    arrow, parquet = import_module("pyarrow"), import_module("pyarrow.parquet")
    names, columns = table(found)
    parquet.write_table(arrow.table(list(map(arrow.array, columns)), names=names), path)


def _shown(rows: Iterator[tuple[Any, ...]]) -> Iterator[list[Any]]:
    for row in rows:
        yield [f"{value:.9g}" if isinstance(value, float) else value for value in row]
