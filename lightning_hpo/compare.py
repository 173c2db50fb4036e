"""``python -m lightning_hpo.compare STUDY_DIR...``: studies side by side, and what is noise.

Folders of one study that differ only in their seed form one row, a sample over seeds; any other
folder is a row of its own: a sample over the folds of its final cross-validation, and on the test
set over its refits. Intervals and tests are of Student's t, two-sided, without a correction for
several comparisons:

- over folds with the variance factor 1/k + 1/(k - 1) in place of 1/k, since the training parts of
  folds overlap (Nadeau and Bengio 2003, Machine Learning 52, 239-281);
- paired where two studies have the same validation samples in each fold, or the same seeds;
- else unpaired with unequal variances (Welch 1947, Biometrika 34, 28-35).

Refits of one study share its winner: they show what the training's seed changes, not what another
search would have found. So a row over seeds counts the mean over each study's refits as one value:
refits within a study are more alike than those of two studies, and taken one by one they would
make the interval too narrow. All of them are tested on one test set, whose own choice no interval
here contains.
"""

import argparse
import json
import re
import shlex
import sys
import zipfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, takewhile
from math import inf, sqrt
from pathlib import Path
from statistics import fmean, stdev, variance
from typing import Any

import numpy as np
from scipy import stats  # type: ignore[import-untyped]  # comes with scikit-learn

from lightning_hpo.application import complain
from lightning_hpo.control_characters import visible
from lightning_hpo.errors import UserError
from lightning_hpo.report.record import read_results
from lightning_hpo.stages import counterpart
from lightning_hpo.terminal import settle_streams

# What a fold's entry holds beside its metrics.
_OF_FOLD = ("fold", "epochs", "best_epoch")
# Ends the name of a test metric which the folds have too.
_ON_TEST = " on the test set"
# What may differ between the commands of one study's seeds.
_PER_SEED = ("seed", "study.name", "study.dir", "study.tag", "study.n_jobs")
# Equal values, but for rounding: a few equal accuracies of a small test set are luck, no proof.
_NO_SPREAD = 1e-12
_LARGEST = 1e150
_COMPARED = ("data", "seed", "seconds")
_SEEDS, _REFITS = "equal seeds", "refits of equal seeds"


@dataclass(frozen=True)
class Study:
    """One folder's ``results.json``."""

    folder: Path
    results: Mapping[str, Any]

    @property
    def name(self) -> str:
        return str(self.results["study_name"])

    @property
    def folds(self) -> list[Mapping[str, Any]]:
        return list((self.results.get("cv") or {}).get("folds", []))

    @property
    def refits(self) -> list[Mapping[str, Any]]:
        """One entry for each network tested; none in older results, which hold one test alone."""
        return [refit for refit in self.results.get("refits") or [] if refit["test"]]

    @property
    def of_folds(self) -> set[str]:
        """Metrics of the cross-validation."""
        return {name for fold in self.folds for name in fold if name not in _OF_FOLD}

    @property
    def of_test(self) -> set[str]:
        """Metrics of the test, each by another name than the folds' own."""
        return {self._on_test(name) for name in self.results.get("test") or {}}

    def tested(self) -> list[dict[str, float]]:
        """The metrics of each test; older results hold one without a list of refits."""
        tests = [refit["test"] for refit in self.refits] or [self.results.get("test") or {}]
        return [{self._on_test(n): float(v) for n, v in test.items()} for test in tests]

    def _on_test(self, name: str) -> str:
        return f"{name}{_ON_TEST}" if name in self.of_folds else name

    @property
    def data(self) -> Any:
        """The checksum of its data."""
        return self.results["data"].get("sha256")

    def same_folds(self, other: "Study") -> bool:
        """Whether each fold validates on the same samples of the same data."""
        if not self.folds or self.data != other.data:
            return False
        ours, theirs = self._val_indices(), other._val_indices()
        if not len(ours) == len(theirs) == len(self.folds):
            return False
        return all(map(np.array_equal, ours, theirs))

    def _val_indices(self) -> list[Any]:
        names = [f"final/fold_{fold['fold']}/fold_indices.npz" for fold in self.folds]
        found = [path for name in names if (path := self.folder / name).is_file()]
        return [_indices(path) for path in found]


def _indices(path: Path) -> Any:
    """The validation samples of a fold."""
    try:
        # numpy leaves a file open that it cannot read.
        with path.open("rb") as file, np.load(file) as stored:
            return stored["val"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(
            f"{path} must hold the samples of a fold, but is damaged ({type(error).__name__}); put"
            " back a copy of it, or remove its folder and run the study's command again."
        ) from None


@dataclass(frozen=True)
class Row:
    """A study, or one study under several seeds, in their order.

    ``label`` tells it from another row of its name.
    """

    studies: tuple[Study, ...]
    label: str | None = None

    @property
    def name(self) -> str:
        if self.label is not None:
            return self.label
        names = [study.name for study in self.studies]
        return names[0] if len(names) == 1 else f"{_in_common(names)} ({len(names)} seeds)"

    @property
    def over_seeds(self) -> bool:
        return len(self.studies) > 1

    def values(self, metric: str) -> list[float]:
        """One for each study of a row over seeds; of a single study one for each fold, and of a
        test metric one for each refit."""
        if self.over_seeds:
            each = [_values(study, metric) for study in self.studies]
            return [fmean(values) for values in each if values]
        return _values(self.studies[0], metric)

    def over_folds(self, metric: str) -> bool:
        """Whether the values are of one cross-validation."""
        return not self.over_seeds and metric in self.studies[0].of_folds

    def seeds(self, metric: str) -> list[Any]:
        """The seed behind each value; none behind the folds of one study."""
        if self.over_seeds:
            return [s.results["seed"] for s in self.studies if _values(s, metric)]
        study = self.studies[0]
        return [refit.get("seed") for refit in study.refits if metric in study.of_test]


@dataclass(frozen=True)
class Difference:
    """Mean of the first minus mean of the second, with its 95 % interval and how it was found."""

    mean: float
    low: float
    high: float
    method: str

    @property
    def within_noise(self) -> bool:
        return self.low <= 0 <= self.high


def interval(values: Sequence[float], *, folds: bool, level: float = 0.95) -> tuple[float, float]:
    """Of the mean; ``folds``: the values are of one cross-validation. Infinite for one value."""
    n = len(values)
    if n < 2:
        return -inf, inf
    half = _half_width(stdev(values) * sqrt(_mean_factor(n, folds)), n - 1, level)
    return fmean(values) - half, fmean(values) + half


def paired(
    a: Sequence[float], b: Sequence[float], *, folds: bool, what: str = "equal seeds"
) -> Difference:
    """Of values that belong together one by one; ``what`` they are, if not folds."""
    apart = [x - y for x, y in zip(a, b, strict=True)]
    if stdev(apart) < _NO_SPREAD:
        return Difference(fmean(apart), -inf, inf, f"all {len(a)} differences are equal")
    method = "identical folds (corrected t, Nadeau and Bengio 2003)" if folds else f"{what} (t)"
    low, high = interval(apart, folds=folds)
    return Difference(fmean(apart), low, high, f"paired over {len(a)} {method}")


def welch(a: Sequence[float], b: Sequence[float], *, folds: tuple[bool, bool]) -> Difference:
    """Of independent samples; ``folds``: which of them are of one cross-validation."""
    mean = fmean(a) - fmean(b)
    if min(len(a), len(b)) < 2:
        return Difference(mean, -inf, inf, "one value has no spread")
    parts = [
        variance(values) * _mean_factor(len(values), of_folds)
        for values, of_folds in zip((a, b), folds, strict=True)
    ]
    if sum(parts) < _NO_SPREAD**2:
        return Difference(mean, -inf, inf, "the values of each have no spread")
    weights = parts[0] ** 2 / (len(a) - 1) + parts[1] ** 2 / (len(b) - 1)
    freedom = sum(parts) ** 2 / weights
    half = _half_width(sqrt(sum(parts)), freedom, 0.95)
    return Difference(mean, mean - half, mean + half, f"unpaired, {len(a)} and {len(b)} (Welch)")


def difference(a: Row, b: Row, metric: str) -> Difference | None:
    """Paired where the rows allow it; None where one of them has no values of ``metric``."""
    x, y = a.values(metric), b.values(metric)
    if not x or not y:
        return None
    if max(map(abs, (*x, *y))) > _LARGEST:
        return Difference(x[0] - y[0], -inf, inf, "squares of the values are too large")
    of_folds = (a.over_folds(metric), b.over_folds(metric))
    if len(x) == len(y) > 1:
        if all(of_folds) and a.studies[0].same_folds(b.studies[0]):
            return paired(x, y, folds=True)
        if a.over_seeds == b.over_seeds and a.seeds(metric) == b.seeds(metric) != []:
            return paired(x, y, folds=False, what=_SEEDS if a.over_seeds else _REFITS)
    return welch(x, y, folds=of_folds)


def read_studies(folders: Sequence[Path]) -> list[Study]:
    """One for each different folder, in their order.

    Raises :class:`UserError` for a folder without readable results, and for fewer than two.
    """
    different: dict[Path, Path] = {}
    for folder in folders:
        different.setdefault(folder.resolve(), folder)
    if len(different) < 2:
        raise UserError(
            f"a comparison needs two different study folders, got {len(different)}; name the "
            "folder of another study too."
        )
    studies = [Study(folder, read_results(folder)) for folder in different.values()]
    for study in studies:
        missing = [key for key in _COMPARED if study.results.get(key) is None]
        if missing:
            raise UserError(
                f"a comparison needs results.json with the keys {list(_COMPARED)}, got"
                f" {study.folder} without {missing}; run the study's command again."
            )
    return studies


def rows_of(studies: Sequence[Study]) -> list[Row]:
    """Studies whose commands differ only in the seed share a row; rows keep the order given.

    Those of one command that have a seed in common differ elsewhere, and stay apart. Rows of one
    name are told apart by their folders.
    """
    groups: dict[str, list[Study]] = {}
    for study in studies:
        groups.setdefault(_without_seed(study), []).append(study)
    rows = []
    for group in groups.values():
        by_seed = {study.results["seed"]: study for study in group}
        if len(by_seed) == len(group):
            rows.append(Row(tuple(by_seed[seed] for seed in sorted(by_seed))))
        else:
            rows += [Row((study,)) for study in group]
    names = Counter(row.name for row in rows)
    return [replace(row, label=_with_folder(row)) if names[row.name] > 1 else row for row in rows]


def table(rows: Sequence[Row], metrics: Sequence[str]) -> str:
    """One line for each row: trials, seconds, and each metric's mean, spread and interval."""
    lines = [["study", "trials", "seconds", *metrics]]
    for row in rows:
        trials = sum(study.results["trials"]["total"] for study in row.studies)
        seconds = sum(_seconds(study) for study in row.studies)
        cells = [_cell(row, metric) for metric in metrics]
        lines.append([row.name, str(trials), f"{seconds:.0f}", *cells])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def _seconds(study: Study) -> float:
    return sum(part or 0.0 for part in study.results["seconds"].values())


def verdict(a: Row, b: Row, metric: str) -> str:
    """In words: which is larger, by how much, and whether that is within noise."""
    found = difference(a, b, metric)
    if found is None:
        return f"{metric}: {a.name} and {b.name} cannot be compared, one of them has no values"
    apart = f"{metric}: {a.name} - {b.name} = {found.mean:+.4f}"
    if found.low == -inf:
        return f"{apart}; cannot tell from noise, {found.method}"
    word = "within noise" if found.within_noise else "more than noise"
    return f"{apart}, 95 % in [{found.low:+.4f}, {found.high:+.4f}]: {word}; {found.method}"


def compare(folders: Sequence[Path]) -> str:
    """Table and verdicts on every pair of rows.

    Raises :class:`UserError` for a folder without readable results, and for fewer than two.
    """
    rows = rows_of(read_studies(folders))
    metrics = metrics_of(rows)
    if not metrics:
        raise UserError(
            "a comparison needs studies whose final job has run, with a cross-validation or a test,"
            " got none; run their commands again with study.final=true."
        )
    lines = [
        table(rows, metrics),
        "",
        "mean ± standard deviation [95 % interval of the mean]: over folds, test metrics over"
        " refits; of several seeds over these",
    ]
    lines += [verdict(a, b, metric) for a, b in combinations(rows, 2) for metric in metrics]
    lines += [f"{study.name} has no test: {why}" for study, why in untested(rows)]
    return "\n".join(lines)


def untested(rows: Sequence[Row]) -> list[tuple[Study, str]]:
    """Studies whose final job has run without a test, and why."""
    studies = [study for row in rows for study in row.studies]
    return [(s, str(why)) for s in studies if (why := s.results.get("no_test"))]


def counterpart_on_test(rows: Sequence[Row], monitor: str) -> str | None:
    """The test metric that measures what ``monitor`` does; None where there is none, or several."""
    tested = {name for row in rows for study in row.studies for name in study.of_test}
    found = counterpart(monitor, {name.removesuffix(_ON_TEST) for name in tested})
    return next((n for n in tested if found and n.removesuffix(_ON_TEST) == found), None)


def metrics_of(rows: Sequence[Row]) -> list[str]:
    """Validation metrics of the cross-validations, then test metrics, each in alphabetic order."""
    studies = [study for row in rows for study in row.studies]
    val = {name for study in studies for name in study.of_folds}
    test = {name for study in studies for name in study.of_test}
    return sorted(val) + sorted(test - val)


def _cell(row: Row, metric: str) -> str:
    values = row.values(metric)
    if len(values) < 2:
        return f"{values[0]:.4f}" if values else "-"
    low, high = interval(values, folds=row.over_folds(metric))
    return f"{fmean(values):.4f} ± {stdev(values):.4f} [{low:.4f}, {high:.4f}]"


def _mean_factor(n: int, folds: bool) -> float:
    """The variance of a mean of n values, in variances of one."""
    return 1 / n + 1 / (n - 1) if folds else 1 / n


def _half_width(error: float, freedom: float, level: float) -> float:
    return float(stats.t.ppf((1 + level) / 2, freedom)) * error


def _in_common(names: Sequence[str]) -> str:
    """How all names begin, without what tells the seeds apart; the first where nothing is left."""
    if len(set(names)) == 1:
        return names[0]
    columns = takewhile(lambda letters: len(set(letters)) == 1, zip(*names, strict=False))
    start = "".join(letters[0] for letters in columns)
    return re.sub(r"[\s_.-]*(seed)?[\s_.=-]*\d*$", "", start) or names[0]


def _with_folder(row: Row) -> str:
    return f"{row.name} in {row.studies[0].folder}"


def _values(study: Study, metric: str) -> list[float]:
    """One for each fold, or each refit."""
    if metric in study.of_folds:
        return [float(fold[metric]) for fold in study.folds if fold.get(metric) is not None]
    return [test[metric] for test in study.tested() if metric in test]


def _without_seed(study: Study) -> str:
    command = study.results.get("command")
    if command is None:
        return str(study.folder)
    words = shlex.split(command)
    kept = sorted(word for word in words if word.split("=")[0].lstrip("+") not in _PER_SEED)
    return json.dumps([kept, study.data])


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; exit status 1 for a user's mistake."""
    parser = argparse.ArgumentParser(
        prog="python -m lightning_hpo.compare", description="Studies side by side."
    )
    parser.add_argument(
        "study_dir", type=Path, nargs="+", metavar="STUDY_DIR", help="holds results.json"
    )
    try:
        text = compare(parser.parse_args(arguments).study_dir)
    except UserError as error:
        complain(error)
        return 1
    sys.stdout.write(f"{visible(text)}\n")
    return 0


if __name__ == "__main__":
    settle_streams()
    sys.exit(main())
