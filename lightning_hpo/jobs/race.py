"""One evaluation of a race: what a trial is, on the split and with the seeds of the round."""

import time
from statistics import fmean
from typing import Any

from omegaconf import DictConfig

from lightning_hpo.callbacks.progress import ProgressFile
from lightning_hpo.fitting import splits
from lightning_hpo.fitting.plan import TrialPlan
from lightning_hpo.jobs.trial import run_trial
from lightning_hpo.protocol.files import write_json
from lightning_hpo.protocol.folder import JobFolder
from lightning_hpo.protocol.messages import JobContext


class Shown:
    """Takes the place of the live trial: tells the display how far it is, and never prunes."""

    def __init__(self, file: ProgressFile) -> None:
        self.file = file

    def report(self, value: float, step: int) -> None:
        self.file.report(step, value)

    def should_prune(self) -> bool:
        return False


def run_race(cfg: DictConfig, context: JobContext) -> dict[str, Any]:
    """Fit trial ``study.trial_number`` in round ``study.race_round``; judged as in the search."""
    plan, started_s = TrialPlan.of(cfg), time.monotonic()
    # Where a trial reports once a fold, its epochs are not known.
    live = None if plan.steps_are_folds else Shown(_progress(plan, context))
    result = run_trial(cfg, context, live)
    found = {
        "value": result.value,
        "n_parameters": round(fmean(fit.metrics["n_parameters"] for fit in result.fits)),
        "epochs": sum(fit.epochs for fit in result.fits),
        "seconds": time.monotonic() - started_s,
        "split_anew": splits.race_is_split_anew(cfg),
    }
    write_json(JobFolder(context.folder).result, found)
    return found


def _progress(plan: TrialPlan, context: JobContext) -> ProgressFile:
    epochs = plan.steps_of(plan.serial_folds - 1).stop
    return ProgressFile(context.folder, epochs=epochs, metric=plan.monitor)
