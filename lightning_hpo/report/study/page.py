"""A study's page: reads its record, builds the sections, writes ``report.html``."""

from collections.abc import Callable
from pathlib import Path

import optuna

from lightning_hpo.protocol.folder import StudyFolder
from lightning_hpo.report.html.document import Section, assemble, section, write_page
from lightning_hpo.report.study import (
    again,
    asked,
    data,
    glossary,
    lock_box,
    model,
    search,
    use,
    winner,
    worth,
)
from lightning_hpo.report.study.headline import headline
from lightning_hpo.results.record import Record, read_record

SECTIONS: tuple[Section[Record], ...] = (
    Section("asked", "What was asked", asked.content),
    Section("data", "The data", data.content),
    Section("winner", "The result, and how sure we are", winner.content),
    Section("worth", "What this procedure is worth", worth.content),
    Section("lock_box", "The lock box", lock_box.content),
    Section("search", "How it was found", search.content),
    Section("sees", "What it sees", model.sees),
    Section("errs", "Where it errs", model.errs),
    Section("use", "How to use the model", use.content),
    Section("again", "How to run it again", again.content),
    Section("glossary", "Glossary", glossary.content),
)
# Those that only some studies have.
_IF_ANY: dict[str, Callable[[Record], bool]] = {
    "data": data.has_one,
    "worth": worth.has_one,
    "lock_box": lock_box.has_one,
    "use": use.has_one,
}
# Of another application's networks nothing is known.
_OF_MODEL = ("sees", "errs")


def build_report(study_dir: Path, *, study: optuna.Study | None = None) -> Path:
    """Write ``report.html`` into the study's folder and return its path.

    ``study`` is the open study, where the caller has it; without it the report opens the storage
    that ``results.json`` names, which can only be a database that needs no hidden password.

    Raises:
        UserError: for a folder without a readable study, or that cannot be written to.
    """
    html = page(read_record(study_dir, study=study))
    way_out = "free space there or correct its permissions"
    return write_page(StudyFolder(study_dir).report, html, way_out=way_out)


def page(record: Record) -> str:
    return assemble(
        kind="Hyperparameter study",
        title=str(record.results["study_name"]),
        headline=headline(record),
        tiles=winner.tiles(record.results),
        sections=(
            (key, title, section(build, record))
            for key, title, build in SECTIONS
            if not (record.is_guest and key in _OF_MODEL)
            if key not in _IF_ANY or _IF_ANY[key](record)
        ),
    )
