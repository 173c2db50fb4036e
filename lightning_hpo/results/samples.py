"""Studies as samples: rows of values, over folds, refits or seeds, that can be compared."""

import re
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations, takewhile
from math import inf
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from lightning_hpo.errors import UserError
from lightning_hpo.protocol.folder import StudyFolder
from lightning_hpo.protocol.samples import Samples
from lightning_hpo.protocol.stages import counterpart
from lightning_hpo.results.crossed import (
    crossed,
    crossed_pairs,
    over_folds,
    risk_interval,
    single_networks,
)
from lightning_hpo.results.readings import overlap_of
from lightning_hpo.results.results import Results
from lightning_hpo.results.statistics import (
    Difference,
    as_share,
    interval,
    judged_together,
    paired,
    welch,
)
from lightning_hpo.results.tested import (
    OutOfFold,
    Tested,
    out_of_fold,
    required_samples,
    stacked,
    table,
)

# What a fold's entry holds beside its metrics.
_OF_FOLD = ("fold", "epoch", "epochs", "best_epoch")
# Ends the name of a test metric which the folds have too.
_ON_TEST = " on the test set"
_LARGEST = 1e150
_SEEDS, _REFITS = "equal seeds", "refits of equal seeds"
# Of what each kind of interval is. 95 of 100 contain that mean, and no other.
_REACHES = {
    "folds": "over folds: an interval is of the mean over other data of this kind, widened since"
    " folds train on the same samples; that the search chose its winner on these very samples it"
    " does not make up for, and the verdict is on two winners, not on two ways to search",
    "trainings": "over refits and test samples: an interval is of the mean over all seeds and over"
    " new samples of this kind, and the verdict is on two winners, not on two ways to search",
    "network": "over test samples alone: an interval is of one network on new samples of this kind,"
    " and the verdict is on two networks: another training of each may turn it",
    "refits": "over refits: an interval is of the mean over all seeds on these test samples, not on"
    " others, and the verdict is on two winners, not on two ways to search",
    "seeds and samples": "over seeds and test samples: an interval is of the mean over all seeds of"
    " search and training and over new samples of this kind, and the verdict is on two ways to"
    " search and train",
    "seeds": "over seeds: an interval is of the mean over all seeds of search and training on these"
    " samples, not on others, and the verdict is on two ways to search and train",
}


@dataclass(frozen=True)
class Study:
    """One folder's ``results.json``."""

    folder: Path
    results: Results = field(repr=False)

    @property
    def name(self) -> str:
        return str(self.results["study_name"])

    @property
    def folds(self) -> list[Mapping[str, Any]]:
        return list((self.results.get("cv") or {}).get("folds", []))

    @property
    def overlap(self) -> float:
        """The validated samples of a fold in those that it trains on."""
        return overlap_of(self.results.get("cv") or {})

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

    def on_samples(self, metric: str) -> Tested | None:
        """A test metric by each refit on each sample; None where that was not kept."""
        if metric not in self.of_test:
            return None
        return table(self._samples, [test.get(metric) for test in self.tested()])

    def out_of_fold(self, metric: str) -> OutOfFold | None:
        """A metric of the folds on each sample; None where that was not kept."""
        values = [fold.get(metric) for fold in self.folds]
        known = [float(value) for value in values if value is not None]
        return out_of_fold(self._fold_samples, known) if len(known) == len(values) else None

    @cached_property
    def _fold_samples(self) -> list[Samples | None]:
        final = StudyFolder(self.folder).final
        return [required_samples(final.fold(fold["fold"]).samples) for fold in self.folds]

    @cached_property
    def _samples(self) -> list[Samples | None]:
        """What the network of each of the ``refits`` gave on the test samples."""
        folders = [job for job in StudyFolder(self.folder).final.refits() if job.result.is_file()]
        entries = self.results.get("refits") or []
        if len(folders) != len(entries):
            return [None]
        pairs = zip(folders, entries, strict=True)
        return [required_samples(job.samples) for job, entry in pairs if entry["test"]]

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
        final = StudyFolder(self.folder).final
        paths = [final.fold(fold["fold"]).indices for fold in self.folds]
        return [_indices(path) for path in paths if path.is_file()]


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

    Attributes:
        studies: one, or those that differ in their seed alone.
        label: tells it from another row of its name; None: the studies' name does.
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
    def folders(self) -> tuple[Path, ...]:
        return tuple(study.folder for study in self.studies)

    @property
    def metrics(self) -> list[str]:
        """Of the cross-validation, then of the test, each in alphabetic order."""
        return metrics_of([self])

    @property
    def over_seeds(self) -> bool:
        return len(self.studies) > 1

    def values(self, metric: str) -> list[float]:
        """What the mean of ``metric`` is of.

        Args:
            metric: one of ``metrics``, such as "val/loss".

        Returns:
            A value for each study of a row over seeds; of a single study one for each fold, and of
            a test metric one for each refit. Empty where there are none.
        """
        if self.over_seeds:
            each = [_values(study, metric) for study in self.studies]
            return [fmean(values) for values in each if values]
        return _values(self.studies[0], metric)

    def interval(self, metric: str) -> tuple[float, float]:
        """The 95 % interval.

        Of the mean over trainings and samples of this kind where the samples of a test are known,
        else of the mean of the values.

        Args:
            metric: one of ``metrics``.

        Returns:
            Its ends, in the units of the metric, infinite where nothing is known of the spread.
        """
        found = self.on_samples(metric)
        if found is not None:
            return risk_interval(found.losses_rn)
        values = self.values(metric)
        return as_share(metric, values, interval(values, overlap=self.overlap(metric)))

    def on_samples(self, metric: str) -> Tested | None:
        """A test metric on each sample, by each refit; of a row over seeds by each seed."""
        if not self.over_seeds:
            return self.studies[0].on_samples(metric)
        return stacked([s.on_samples(metric) for s in self.studies if _values(s, metric)] or [None])

    def minus(self, other: "Row", metric: str) -> Difference | None:
        """The difference of two rows, judged alone.

        Args:
            other: whose mean is taken off this one's.
            metric: one that both rows have.

        Returns:
            Of the means, paired where the rows allow it; None where one of them has no values.
        """
        return difference(self, other, metric)

    def over_folds(self, metric: str) -> bool:
        """Whether the values are of one cross-validation."""
        return not self.over_seeds and metric in self.studies[0].of_folds

    def overlap(self, metric: str) -> float:
        """Of folds their validated samples in those trained on; 0 for independent values."""
        return self.studies[0].overlap if self.over_folds(metric) else 0.0

    def seeds(self, metric: str) -> list[Any]:
        """The seed behind each value; none behind the folds of one study."""
        if self.over_seeds:
            return [s.results["seed"] for s in self.studies if _values(s, metric)]
        study = self.studies[0]
        return [refit.get("seed") for refit in study.refits if metric in study.of_test]


def difference(a: Row, b: Row, metric: str) -> Difference | None:
    """Paired where the rows allow it; None where one of them has no values of ``metric``.

    Judged alone: the verdicts on several pairs hold together by :func:`differences`.
    """
    x, y = a.values(metric), b.values(metric)
    if not x or not y:
        return None
    if max(map(abs, (*x, *y))) > _LARGEST:
        return Difference(x[0] - y[0], -inf, inf, "squares of the values are too large")
    of_a, of_b = a.on_samples(metric), b.on_samples(metric)
    if of_a is not None and of_b is not None and of_a.is_of_the_samples_of(of_b):
        return _on_samples(a, b, metric, of_a, of_b)
    if a.over_folds(metric) and b.over_folds(metric):
        found = _over_folds(a.studies[0], b.studies[0], metric)
        if found is not None:
            return found
    if len(x) == len(y) > 1:
        if a.over_folds(metric) and b.over_folds(metric) and a.studies[0].same_folds(b.studies[0]):
            return paired(x, y, overlap=a.overlap(metric))
        if a.over_seeds == b.over_seeds and a.seeds(metric) == b.seeds(metric) != []:
            return paired(x, y, overlap=0, what=_SEEDS if a.over_seeds else _REFITS)
    return welch(x, y, overlap=(a.overlap(metric), b.overlap(metric)))


def _on_samples(a: Row, b: Row, metric: str, x: Tested, y: Tested) -> Difference:
    """Of two rows on the same test samples, over these and over the trainings."""
    many = len(x.losses_rn), len(y.losses_rn)
    if many == (1, 1) and not (a.over_seeds or b.over_seeds):
        return single_networks(x.losses_rn[0], y.losses_rn[0])
    if min(many) < 2:
        return welch(a.values(metric), b.values(metric), overlap=(0, 0))
    if a.over_seeds and b.over_seeds and a.seeds(metric) == b.seeds(metric):
        return crossed_pairs(x.losses_rn, y.losses_rn, what=_SEEDS)
    return crossed(x.losses_rn, y.losses_rn)


def _over_folds(a: Study, b: Study, metric: str) -> Difference | None:
    """Of two cross-validations of the same samples; None where these were not kept."""
    x, y = a.out_of_fold(metric), b.out_of_fold(metric)
    if x is None or y is None or a.data != b.data or not x.is_of_the_samples_of(y):
        return None
    return over_folds(x.values, y.values, x.folds, y.folds, overlap=(a.overlap + b.overlap) / 2)


def differences(rows: Sequence[Row], metric: str) -> list[tuple[Row, Row, Difference]]:
    """Of every pair of rows that has values of ``metric``, judged together."""
    pairs = [
        (a, b, found)
        for a, b in combinations(rows, 2)
        if (found := difference(a, b, metric)) is not None
    ]
    judged = judged_together([found for *_, found in pairs])
    return [(a, b, found) for (a, b, _), found in zip(pairs, judged, strict=True)]


def reach_of_intervals(rows: Sequence[Row], metrics: Sequence[str]) -> list[str]:
    """Of what the intervals of these rows are, one for each kind, without a full stop."""
    kinds = {_kind(row, metric) for row in rows for metric in metrics if row.values(metric)}
    return [words for kind, words in _REACHES.items() if kind in kinds]


def _kind(row: Row, metric: str) -> str:
    on_samples = row.on_samples(metric)
    if row.over_seeds:
        return "seeds" if on_samples is None else "seeds and samples"
    if on_samples is None:
        return "folds" if row.over_folds(metric) else "refits"
    return "network" if len(on_samples.losses_rn) == 1 else "trainings"


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


def required_metrics(rows: Sequence[Row]) -> list[str]:
    """:func:`metrics_of`; raises :class:`UserError` where there are none."""
    metrics = metrics_of(rows)
    if not metrics:
        raise UserError(
            "a comparison needs studies whose final job has run, with a cross-validation or a test,"
            " got none; run their commands again with study.final=true."
        )
    return metrics


def _in_common(names: Sequence[str]) -> str:
    """How all names begin, without what tells the seeds apart; the first where nothing is left."""
    if len(set(names)) == 1:
        return names[0]
    columns = takewhile(lambda letters: len(set(letters)) == 1, zip(*names, strict=False))
    start = "".join(letters[0] for letters in columns)
    return re.sub(r"[\s_.-]*(seed)?[\s_.=-]*\d*$", "", start) or names[0]


def _values(study: Study, metric: str) -> list[float]:
    """One for each fold, or each refit."""
    if metric in study.of_folds:
        return [float(fold[metric]) for fold in study.folds if fold.get(metric) is not None]
    return [test[metric] for test in study.tested() if metric in test]
