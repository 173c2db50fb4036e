"""`python -m lightning_hpo.report STUDY_DIR` rebuilds the report of a study."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from lightning_hpo.errors import UserError
from lightning_hpo.report.page import build_report


def main(argv: Sequence[str] | None = None) -> int:
    """Rebuild `report.html` and say where it is; exit status 1 for a user's mistake."""
    parser = argparse.ArgumentParser(
        prog="python -m lightning_hpo.report", description="Rebuild report.html of a study."
    )
    parser.add_argument(
        "study_dir", type=Path, metavar="STUDY_DIR", help="the folder that holds results.json"
    )
    arguments = parser.parse_args(argv)
    try:
        report = build_report(arguments.study_dir)
    except UserError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{report}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
