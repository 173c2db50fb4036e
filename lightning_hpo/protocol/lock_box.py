"""The record of a lock box: every opening, in the study's folder, oldest first."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict

from lightning_hpo.errors import UserError
from lightning_hpo.protocol.averages import as_json
from lightning_hpo.protocol.files import write_json
from lightning_hpo.protocol.folder import StudyFolder


class Opening(TypedDict):
    """One opening: its number, from 1, and what it showed of which network.

    Attributes:
        number: 1 for a box that nobody had opened.
        when: in UTC, ISO 8601.
        versions: of the packages that decide a result.
        checkpoint: SHA-256 of the network's file.
        n_samples: in the box.
        metrics: of the test on these.
        intervals: at 95 % of the metrics that have one, as [low, high].
        methods: how these were found.
    """

    number: int
    when: str
    versions: Mapping[str, str]
    checkpoint: str
    n_samples: int
    metrics: Mapping[str, float]
    intervals: Mapping[str, Sequence[float]]
    methods: Mapping[str, str]


def openings(study_dir: Path) -> list[Opening]:
    """Those on record; raises :class:`UserError` for a record that cannot be read."""
    path = StudyFolder(study_dir).lock_box
    try:
        found: Any = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    except (OSError, ValueError, RecursionError) as error:
        raise _damaged(path, str(error)) from None
    listed = found.get("openings") if isinstance(found, dict) else None
    if not isinstance(listed, list) or not all(_is_opening(each) for each in listed):
        raise _damaged(path, "it lists no openings")
    return listed


def note_opening(study_dir: Path, opening: Opening) -> None:
    """Add ``opening`` to the record."""
    known = openings(study_dir)
    write_json(StudyFolder(study_dir).lock_box, as_json({"openings": [*known, opening]}))


def _is_opening(found: Any) -> bool:
    keys = Opening.__required_keys__
    return isinstance(found, dict) and keys <= found.keys() and isinstance(found["metrics"], dict)


def _damaged(path: Path, reason: str) -> UserError:
    return UserError(
        f"{path} must be the record of a lock box's openings, but: {reason}. Put back a copy of it;"
        " nothing else tells how often the box was opened."
    )
