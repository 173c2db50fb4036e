"""Several studies on one page: reads their records, builds the sections, writes the file."""

import os
from collections.abc import Sequence
from pathlib import Path

from lightning_hpo.report.comparison import sections
from lightning_hpo.report.comparison.contest import Contest, contest_of
from lightning_hpo.report.comparison.words import headline
from lightning_hpo.report.html.document import Section, assemble, section, write_page
from lightning_hpo.results.record import read_record
from lightning_hpo.results.rows import read_studies

SECTIONS: tuple[Section[Contest], ...] = (
    Section("asked", "What was asked", sections.asked),
    Section("winners", "The winners' parameters", sections.winners),
    Section("results", "The results", sections.results),
    Section("noise", "Which difference is noise", sections.noise),
    Section("search", "How they searched", sections.search),
    Section("curves", "How the final networks learned", sections.curves),
)


def build_comparison(folders: Sequence[Path], output: Path | None = None) -> Path:
    """Write the comparison of the studies in ``folders`` and return its path.

    Without ``output`` it is ``comparison.html`` in the folder that the studies have in common.

    Raises:
        UserError: for fewer than two different folders, for one without a readable study, and for a
            place that cannot be written to.
    """
    studies = read_studies(folders)
    path = output or common_folder([study.folder for study in studies]) / "comparison.html"
    html = page(contest_of(studies, [read_record(study.folder) for study in studies]), path.parent)
    return write_page(path, html, way_out="choose another place with --output")


def common_folder(folders: Sequence[Path]) -> Path:
    """The innermost folder that holds all of these."""
    return Path(os.path.commonpath([folder.resolve() for folder in folders]))


def page(contest: Contest, place: Path) -> str:
    """The whole page, whose links to the studies' own reports start at the folder ``place``."""
    parts = [(key, title, section(build, contest)) for key, title, build in SECTIONS]
    names = [row.name for row in contest.rows]
    return assemble(
        kind=f"Comparison of {len(contest.entries)} hyperparameter studies",
        title=", ".join(names[:4]) + f" and {len(names) - 4} more" * (len(names) > 4),
        headline=headline(contest),
        tiles=sections.tiles(contest),
        sections=[*parts, ("reports", "Each study's own report", sections.reports(contest, place))],
    )
