"""``python -m lightning_hpo.report STUDY_DIR...`` builds a study's report, or compares several."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from lightning_hpo.errors import UserError, one_line
from lightning_hpo.output.control_characters import visible
from lightning_hpo.output.streams import mask_output
from lightning_hpo.output.terminal import settle_streams
from lightning_hpo.report.study.page import build_report


def main(argv: Sequence[str] | None = None) -> int:
    """Write the page and say where it is; exit status 1 for a user's mistake."""
    parser = argparse.ArgumentParser(
        prog="python -m lightning_hpo.report",
        description="Rebuild report.html of a study; of several studies, write comparison.html.",
    )
    parser.add_argument(
        "study_dir", type=Path, nargs="+", metavar="STUDY_DIR", help="a folder with results.json"
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="PATH",
        help="where the comparison goes [comparison.html in the studies' common folder]",
    )
    arguments = parser.parse_args(argv)
    mask_output()
    try:
        page = build(arguments.study_dir, arguments.output)
    except UserError as error:
        sys.stderr.write(f"{visible(one_line(error))}\n")
        return 1
    sys.stdout.write(f"{page}\n")
    return 0


def build(folders: Sequence[Path], output: Path | None) -> Path:
    """The report of one study, or the comparison of several."""
    if len(folders) > 1:
        # Brings scipy's statistics with it, which a single report does without.
        from lightning_hpo.report.comparison.page import build_comparison

        return build_comparison(folders, output)
    if output is not None:
        raise UserError(
            f"--output names the page that compares several studies, got {output} for one; leave "
            "it out, or name another study's folder."
        )
    return build_report(folders[0])


if __name__ == "__main__":
    settle_streams()
    sys.exit(main())
