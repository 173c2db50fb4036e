"""The file of outcomes: one line of JSON for each run, appended as soon as it has ended."""

import json
from dataclasses import asdict
from pathlib import Path

from benchmarks import figures
from benchmarks.race.outcome import Outcome


def append(path: Path, outcome: Outcome) -> None:
    figures.append_line(path, asdict(outcome))


def read(path: Path) -> list[Outcome]:
    """The last outcome of each run; one that failed counts until it is run again."""
    if not path.is_file():
        return []
    found = (Outcome(**json.loads(line)) for line in path.read_text().splitlines() if line)
    return list({outcome.key: outcome for outcome in found}.values())


def done(outcomes: list[Outcome]) -> set[tuple[str, int, int, int]]:
    """The runs that need not be made again."""
    return {outcome.key for outcome in outcomes if outcome.failed is None}
