"""What a comparison shows: studies with their records, names, configurations and colours."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from lightning_hpo.protocol.folder import StudyFolder
from lightning_hpo.report.figures.canvas import BLUE, GREEN, INK, ORANGE, VERMILLION
from lightning_hpo.results.record import Record
from lightning_hpo.results.results import DataOf, taken
from lightning_hpo.results.rows import rows_of
from lightning_hpo.results.samples import Row, Study, metrics_of

COLOURS = (BLUE, VERMILLION, GREEN, ORANGE, "#CC79A7", "#56B4E9", INK)
DASHES = ("-", (0, (5, 2)), (0, (1, 1.5)), (0, (5, 2, 1, 2)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X")


@dataclass(frozen=True)
class Line:
    """How a row is drawn: a colour, a dash and a marker; 28 differ."""

    colour: str
    dash: Any
    marker: str


def line(index: int) -> Line:
    """Of the row with this index: every colour first, then the next dash."""
    turn, place = divmod(index, len(COLOURS))
    return Line(COLOURS[place], DASHES[turn % len(DASHES)], MARKERS[(place + turn) % len(MARKERS)])


@dataclass(frozen=True)
class Goal:
    """What a study searches for, and in which data."""

    monitor: str
    minimize: bool
    data: str

    @property
    def words(self) -> str:
        return f"{'minimize' if self.minimize else 'maximize'} {self.monitor} on {self.data}"


@dataclass(frozen=True)
class Entry:
    """One study.

    ``row``: the index of its row, which it shares with the same study under other seeds;
    ``searched_with``, ``finished_with``: the configuration of a trial and of the final job, empty
    where they left none.
    """

    name: str
    row: int
    record: Record
    searched_with: Mapping[str, Any]
    finished_with: Mapping[str, Any]

    @property
    def goal(self) -> Goal:
        data = self.record.results.get("data") or DataOf()
        return Goal(self.record.monitor, self.record.minimize, str(data.get("name")))

    @property
    def configuration(self) -> Mapping[str, Any]:
        return self.searched_with or self.finished_with


@dataclass(frozen=True)
class Contest:
    """The studies in the order of their rows, and the rows as samples of results."""

    entries: tuple[Entry, ...]
    rows: tuple[Row, ...]
    metrics: tuple[str, ...]

    def by_goal(self) -> Iterator[tuple[Goal, list[Entry]]]:
        """Studies whose values can be compared: of one monitor, one direction, the same data."""
        goals = dict.fromkeys(entry.goal for entry in self.entries)
        for goal in goals:
            yield goal, [entry for entry in self.entries if entry.goal == goal]


def contest_of(studies: Sequence[Study], records: Sequence[Record]) -> Contest:
    """Studies and their records, one by one, as one comparison."""
    rows, record_of = rows_of(studies), {record.folder: record for record in records}
    ordered = [(study, index) for index, row in enumerate(rows) for study in row.studies]
    names = distinct_names([study for study, _ in ordered])
    entries = [
        Entry(
            name,
            index,
            record_of[study.folder],
            _searched_with(record_of[study.folder]),
            read_configuration(StudyFolder(study.folder).final.refit.config),
        )
        for name, (study, index) in zip(names, ordered, strict=True)
    ]
    return Contest(tuple(entries), tuple(rows), tuple(metrics_of(rows)))


def distinct_names(studies: Sequence[Study]) -> list[str]:
    """The studies' names; with the seed, or else the folder, where that is needed."""
    seeded = [f"{study.name}, seed {study.results.get('seed')}" for study in studies]
    names, with_seed = Counter(study.name for study in studies), Counter(seeded)
    return [
        study.name
        if names[study.name] == 1
        else label
        if with_seed[label] == 1
        else f"{study.name} in {study.folder}"
        for study, label in zip(studies, seeded, strict=True)
    ]


def read_configuration(path: Path) -> Mapping[str, Any]:
    """A job's resolved configuration; empty where there is none that can be read."""
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return {}
    return found if isinstance(found, dict) else {}


def lookup(configuration: Mapping[str, Any], key: str) -> Any:
    """The value of a dotted key, None where there is none."""
    found: Any = configuration
    for part in key.split("."):
        if not isinstance(found, Mapping) or part not in found:
            return None
        found = found[part]
    return found


def _searched_with(record: Record) -> Mapping[str, Any]:
    if not record.trials:
        return {}
    best = taken(record.results)
    number = best["number"] if best else record.trials[0].number
    return read_configuration(StudyFolder(record.folder).trial(number).config)
