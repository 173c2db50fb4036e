"""The end of a study: its results are written, its report is built, its last words are said."""

from pathlib import Path

import optuna
from omegaconf import DictConfig

from lightning_hpo.composition.application import complain
from lightning_hpo.errors import UserError, with_type
from lightning_hpo.protocol.messages import Facts
from lightning_hpo.results import last_words, results, written
from lightning_hpo.sweep import application
from lightning_hpo.sweep.display.display import Display


def conclude(
    study: optuna.Study, study_dir: Path, config: DictConfig, facts: Facts | None, display: Display
) -> None:
    """Write what is found, build the report, say where everything is.

    ``facts``: None where the jobs are another application's.
    """
    written.log_best(study)
    found = save(study, study_dir, config, facts, display)
    display.last_words(last_words.summary(found, study_dir))


def save(
    study: optuna.Study, study_dir: Path, config: DictConfig, facts: Facts | None, display: Display
) -> results.Results:
    """Write what is found, as far as the study has come, and build the report."""
    written.save_plugin_file(study, study_dir)
    if facts is None:
        found = written.guest_results(
            study,
            study_dir=study_dir,
            sweeper=config.hydra.sweeper,
            monitor=display.tally.monitor,
            goes_on_with=application.way_to_go_on(config),
        )
    else:
        found = written.results(study, study_dir=study_dir, config=config, facts=facts)
    results.write(study_dir, found)
    if found.get("outer") is None:
        # Of an outer fold nothing but its test is looked at.
        display.stage("report")
        report(study_dir, study)
    return found


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
