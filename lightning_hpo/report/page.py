"""The page: reads a study's record, fills the template, writes `report.html`."""

import hashlib
import os
from base64 import b64encode
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from string import Template

import optuna

from lightning_hpo.errors import UserError
from lightning_hpo.report import sections
from lightning_hpo.report.markup import text
from lightning_hpo.report.record import Record, read_record
from lightning_hpo.report.words import verdict

# The section's id, its title, its builder.
SECTIONS: tuple[tuple[str, str, Callable[[Record], str]], ...] = (
    ("asked", "What was asked", sections.asked),
    ("winner", "The result, and how sure we are", sections.winner),
    ("search", "How it was found", sections.search),
    ("sees", "What it sees", sections.sees),
    ("errs", "Where it errs", sections.errs),
    ("again", "How to run it again", sections.again),
)


def build_report(study_dir: Path, *, study: optuna.Study | None = None) -> Path:
    """Write `report.html` into the study's folder and return its path.

    `study` is the open study, where the caller has it; without it the report opens the storage
    that `results.json` names, which can only be a database that needs no hidden password.

    Raises:
        UserError: the folder holds no readable study, or cannot be written to.
    """
    record = read_record(study_dir, study=study)
    report = study_dir / "report.html"
    # Written beside its place and moved there, so that a reader never meets half a page.
    draft = study_dir / f".report.{os.getpid()}.html"
    try:
        draft.write_text(page(record), encoding="utf-8")
        draft.replace(report)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise UserError(
            f"The study's folder must be writable, got {study_dir} ({error.strerror}); free space "
            "there or correct its permissions."
        ) from None
    return report


def page(record: Record) -> str:
    """The whole page. Its content security policy admits nothing from outside, and no script but
    its own."""
    style, script = _resource("style.css"), _resource("script.js")
    digest = b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    return Template(_resource("template.html")).substitute(
        title=text(record.results["study_name"]),
        verdict=text(verdict(record)),
        tiles=sections.tiles(record.results),
        style=style,
        script=script,
        script_digest=digest,
        navigation="".join(f'<a href="#{key}">{title}</a>\n' for key, title, _ in SECTIONS),
        sections="".join(
            f'<section id="{key}">\n<h2>{title}</h2>\n{build(record)}</section>\n'
            for key, title, build in SECTIONS
        ),
    )


def _resource(name: str) -> str:
    return files("lightning_hpo.report").joinpath(name).read_text(encoding="utf-8")
