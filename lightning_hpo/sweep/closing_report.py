"""The report at the end of a study, whose results are written by then."""

from pathlib import Path

import optuna

from lightning_hpo.composition.application import complain
from lightning_hpo.errors import UserError, with_type


def report(study_dir: Path, study: optuna.Study) -> None:
    """Build the report; one that fails costs a line, never the study whose results are written."""
    try:
        from lightning_hpo.report.study.page import build_report

        build_report(study_dir, study=study)
    except Exception as error:
        way_out = f"python -m lightning_hpo.report {study_dir}"
        complain(
            UserError(
                f"the report could not be built ({with_type(error)}); the results are written. Once"
                f" that is mended: {way_out}"
            )
        )
