"""Literal outcomes of trials, and consoles that keep what they show."""

import io
from typing import Any

from optuna.trial import TrialState
from rich.console import Console

from lightning_hpo.sweep.display.progress import Steps
from lightning_hpo.sweep.search.verdict import Verdict

COMPLETE = Verdict(TrialState.COMPLETE, values=[0.5])
PRUNED = Verdict(TrialState.PRUNED, reason="pruned at epoch 1")
FAILED = Verdict(TrialState.FAIL, reason="ZeroDivisionError: by zero")


def recorder(**settings: Any) -> Console:
    """A console that keeps what it shows; by default not a terminal."""
    settings = {"force_terminal": False, "_environ": {}, "width": 100} | settings
    return Console(file=io.StringIO(), record=True, highlight=False, **settings)


EPOCHS, FOLDS = Steps(8), Steps(8, folds=3)
