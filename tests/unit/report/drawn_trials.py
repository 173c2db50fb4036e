"""Records of literal trials, for the figures that are drawn of them."""

from pathlib import Path

from optuna.trial import FrozenTrial
from report_study import results_of

from lightning_hpo.results.importances import Importances
from lightning_hpo.results.record import Record


def record(trials: list[FrozenTrial]) -> Record:
    for number, trial in enumerate(trials):
        trial.number = number
    return Record(Path("s"), results_of("s", trials, final=True), tuple(trials), Importances({}))
