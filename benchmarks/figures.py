"""Figures of several benchmarks as one JSON: each appends lines, and this gathers them.

python -m benchmarks.figures LINES.jsonl ... --to FIGURES.json
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.conditions import conditions


def add_argument(parser: argparse.ArgumentParser) -> None:
    """``--to FILE``: where a benchmark appends its figures besides printing them."""
    parser.add_argument("--to", type=Path, help="append the figures to this file, a JSON a line")


def append(path: Path | None, benchmark: str, **figures: Any) -> None:
    """One line for one table of ``benchmark``; nothing without a file."""
    if path is not None:
        append_line(path, {"benchmark": benchmark, **figures})


def append_line(path: Path, content: Mapping[str, Any]) -> None:
    """``content`` as a line of JSON at the end of the file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write(json.dumps(content) + "\n")


def gathered(files: Sequence[Path]) -> dict[str, Any]:
    """The machine, and all lines by their benchmark in the order in which they came."""
    found: dict[str, Any] = {"conditions": conditions()}
    for line in (line for file in files for line in file.read_text().splitlines()):
        figures = json.loads(line)
        # The lines of a race say who ran instead.
        found.setdefault(figures.pop("benchmark", "race"), []).append(figures)
    return found


def main() -> None:
    """Write the one file."""
    assert __doc__ is not None
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("lines", type=Path, nargs="+")
    parser.add_argument("--to", type=Path, required=True)
    told = parser.parse_args()
    told.to.write_text(json.dumps(gathered(told.lines), indent=1) + "\n")
    print(f"figures: {told.to}")


if __name__ == "__main__":
    main()
