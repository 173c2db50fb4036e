"""What a process of the ``stacked`` launcher does with a batch: trials that train as one stack."""

import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from hydra.core.utils import JobReturn, JobStatus

from lightning_hpo.fitting.stacked import StackedFits, train
from lightning_hpo.jobs import run
from lightning_hpo.jobs.hparams import with_row
from lightning_hpo.jobs.stacked_trial import StackedTrial, stopping_of
from lightning_hpo.launchers.job import Batch, Job, SlotSetup, failed
from lightning_hpo.launchers.process import run_hydra_job
from lightning_hpo.machine.denormals import denormals_as_zero
from lightning_hpo.machine.isolation import isolated
from lightning_hpo.stack.module import TimeIsUp

if TYPE_CHECKING:
    Answering = Callable[[Job, JobReturn], None]


def run_batch(batch: Batch, setup: SlotSetup, answer: "Answering") -> None:
    """Compose every job, train them together, and ``answer`` each at once when it ends."""
    started_s = time.monotonic()
    with isolated(setup.threads), denormals_as_zero():
        waiting: dict[int, tuple[Job, JobReturn]] = {}
        for job in batch.jobs:
            ret = run_hydra_job(job, setup, run.prepare)
            if ret.status is JobStatus.COMPLETED:
                waiting[id(ret._return_value.fits)] = job, ret
                _limit(ret._return_value, job.timeout_s, started_s)
            else:
                answer(job, ret)
        try:
            if waiting:
                trials = [ret._return_value for _, ret in waiting.values()]
                on_end = partial(_conclude, waiting, answer)
                train([t.fits for t in trials], stop=stopping_of(trials), on_end=on_end)
        except Exception as error:
            # What ends the stack ends all of its trials; the controller judges what it means.
            for job, _ in waiting.values():
                answer(job, failed(error))


def _conclude(
    waiting: dict[int, tuple[Job, JobReturn]], answer: "Answering", fits: StackedFits
) -> None:
    job, ret = waiting.pop(id(fits))
    trial: StackedTrial = ret._return_value
    try:
        ret.return_value = with_row(trial.cfg, trial.context, trial.live, trial.conclude)
    except Exception as error:
        # Pruned, diverged or unable to write: as a job of its own would have returned it.
        ret = failed(error)
    answer(job, ret)


def _limit(trial: StackedTrial, timeout_s: float | None, started_s: float) -> None:
    if timeout_s is None:
        return
    report = trial.fits.group.report

    def report_in_time(epoch: int, value: float) -> None:
        if time.monotonic() - started_s > timeout_s:
            raise TimeIsUp(f"the job ran longer than study.trial_timeout_s={timeout_s:g}")
        if report is not None:
            report(epoch, value)

    trial.fits.group.report = report_in_time
