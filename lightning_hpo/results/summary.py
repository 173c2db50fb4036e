"""A study in a few rows, as a notebook shows its record."""

import html
from collections.abc import Iterator
from pathlib import Path

from lightning_hpo.output.masking import presentable
from lightning_hpo.protocol.folder import StudyFolder
from lightning_hpo.results.readings import spread
from lightning_hpo.results.results import Results, taken
from lightning_hpo.results.text import number, plus_minus


def summary_html(folder: Path, found: Results) -> str:
    """A small table of HTML: what was searched, what was found, where it lies."""
    rows = "".join(
        f'<tr><th style="text-align: left">{_text(name)}</th>'
        f'<td style="text-align: left">{_text(value)}</td></tr>\n'
        for name, value in _rows(folder, found)
    )
    return f"<table>\n{rows}</table>\n"


def _rows(folder: Path, found: Results) -> Iterator[tuple[str, str]]:
    monitor, counts = found["monitor"], found["trials"]
    yield "study", found["study_name"]
    yield "trials", ", ".join(f"{counts[k]} {k}" for k in ("complete", "pruned", "failed"))
    chosen = taken(found)
    if chosen is not None:
        yield "chosen", f"trial {chosen['number']}, {monitor} {number(chosen['value'])}"
        for name, value in chosen["params"].items():
            yield name, number(value)
    if (over_folds := spread(found)) is not None:
        n = len(over_folds.folds)
        yield f"{monitor}, {n} folds", plus_minus(over_folds.mean, over_folds.std)
    for name, value in (found.get("test") or {}).items():
        yield name, number(value)
    yield "report", str(StudyFolder(folder).report)


def _text(value: str) -> str:
    return html.escape(presentable(value))
