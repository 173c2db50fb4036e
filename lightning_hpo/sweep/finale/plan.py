"""The final job, seen from the controller: which fits of its parts are done, and in which order.

What is done stays done: a final job that was interrupted goes on at the missing folds, and one that
belongs to other parameters is moved aside, not overwritten.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from lightning_hpo.launchers.executors import Executor
from lightning_hpo.launchers.job import Job
from lightning_hpo.machine.devices import cpu_cores
from lightning_hpo.protocol.files import is_whole_checkpoint, stored_json, stored_object, write_json
from lightning_hpo.protocol.folder import FinalFolder, JobFolder, aside
from lightning_hpo.protocol.parts import PARTS, Asked, Fit, Part
from lightning_hpo.sweep.finale.tasks import Task, TaskRun

# Far from any trial number, so that logs of trials and of the final job are told apart.
_FIRST_JOB_ID = 1_000_000


def decisive(overrides: Sequence[str]) -> list[str]:
    """What decides the model: bookkeeping, such as study.n_trials, does not."""
    bookkeeping = ("study.", "hydra.", "hydra/")
    kept = "study.final_epochs="
    return [o for o in overrides if o.startswith(kept) or not o.startswith(bookkeeping)]


class FitObserver(Protocol):
    """Sees the fits of the final job start and end; the live display is one."""

    def fit_started(self, name: str, slot: int, folder: Path) -> None: ...

    def fit_ended(self, name: str, result: Mapping[str, Any] | None) -> None:
        """``result``: as the job returned it; None: it failed, or its process died."""


@dataclass(frozen=True)
class Finale:
    """The final job of ``overrides``: the parts that are ``asked`` for; see protocol/parts.py.

    ``trial``: the number of the trial whose parameters these are. ``observer``: is told of each fit
    by the name of its folder.
    """

    executor: Executor
    final_dir: Path
    overrides: tuple[str, ...]
    asked: Asked
    say: Callable[[str], None]
    trial: int | None = None
    observer: FitObserver | None = None

    @property
    def folder(self) -> FinalFolder:
        return FinalFolder(self.final_dir)

    @property
    def identity(self) -> list[str]:
        return decisive(self.overrides)

    def is_done(self) -> bool:
        """Whether this very final job has already been done: nothing more would come of it."""
        # What only sums up others, such as the ensemble, does not stand for them.
        awaiting = (part for part in PARTS if part.is_fit or part.extra)
        awaited = {name for part in awaiting for name in part.after}
        last = [part for part in PARTS if part.name not in awaited]
        return self._same_parameters() and not any(map(self._missing, last))

    def run(self) -> None:
        """Do what is missing; raises :class:`StudyFailed` when a fit fails."""
        if not self._same_parameters():
            self._begin()
        self.sign()
        jobs = self._jobs(self._wanted())
        said = set[str]()

        def started(job: Job) -> None:
            if (words := jobs[job].says) not in said:
                said.add(words)
                self.say(words)
            self._started(job)

        TaskRun(self.executor, jobs, started, self._ended, _failure).run()

    def sign(self) -> None:
        """Say whose parameters these are: of trials with the same ones the latest best."""
        write_json(self.folder.trial, self.trial)

    def _wanted(self) -> dict[str, list[Fit]]:
        """Of each part the fits that are to be done."""
        wanted: dict[str, list[Fit]] = {}
        for part in PARTS:
            # What rests on results that are made again is made again too.
            again = not part.extra and any(wanted[name] for name in part.after)
            wanted[part.name] = list(part.fits(self.asked)) if again else self._missing(part)
        for part in PARTS:
            if part.only_for is not None and not wanted[part.only_for]:
                wanted[part.name] = []
        return wanted

    def _missing(self, part: Part) -> list[Fit]:
        return [fit for fit in part.fits(self.asked) if not self._is_done(fit)]

    def _is_done(self, fit: Fit) -> bool:
        """Whether this fit has left its result, and no damaged network.

        One that is missing was removed by who needs it no more. A folder of a trial that is fitted
        again may hold another one's.
        """
        found = stored_object(self.folder.job(fit.folder).result)
        if found is None or (fit.trial is not None and found.get("number") != fit.trial):
            return False
        checkpoint = self.folder.checkpoint_of(fit.folder)
        return not checkpoint.exists() or is_whole_checkpoint(checkpoint)

    def _jobs(self, wanted: Mapping[str, Sequence[Fit]]) -> dict[Job, Task]:
        """What is to be done; what comes first goes first to a free slot."""
        jobs: dict[Job, Task] = {}
        for part in PARTS:
            after = frozenset(fit.folder for name in part.after for fit in wanted[name])
            alone = part.alone and len(wanted[part.name]) == 1
            says = self._says(part)
            for fit in wanted[part.name]:
                task = Task(fit.folder, says, after, alone=alone, extra=part.extra)
                jobs[self._job(len(jobs), part, fit, alone=alone)] = task
        return jobs

    def _says(self, part: Part) -> str:
        """One line for all that may begin at once, but for what is extra."""
        beside = [
            other
            for other in PARTS
            if (other.after, other.extra) == (part.after, part.extra) and other.fits(self.asked)
        ]
        return ", and ".join(other.says(self.asked) for other in beside)

    def _job(self, index: int, part: Part, fit: Fit, *, alone: bool) -> Job:
        number = "null" if fit.number is None else fit.number
        numbers = {"fold": "null", "refit": "null", part.job: number}
        told = [f"study.job={part.job}", *(f"study.{k}={numbers[k]}" for k in ("fold", "refit"))]
        if fit.trial is not None:
            told.append(f"study.trial_number={fit.trial}")
        where = f"hydra.sweep.subdir={self.final_dir.name}/{fit.folder}"
        threads = cpu_cores() if alone else None
        return Job(_FIRST_JOB_ID + index, (*self.overrides, *told, where), threads)

    def _started(self, job: Job) -> None:
        folder = self.final_dir.parent / _subdir(job)
        # A fit that was interrupted leaves one, which says nothing about this fit.
        JobFolder(folder).progress.unlink(missing_ok=True)
        if self.observer is not None and self._is_fit(folder.name):
            self.observer.fit_started(folder.name, self.executor.next_slot, folder)

    def _ended(self, job: Job, result: Mapping[str, Any] | None) -> None:
        folder = self.final_dir.parent / _subdir(job)
        JobFolder(folder).progress.unlink(missing_ok=True)
        if self.observer is not None and self._is_fit(folder.name):
            self.observer.fit_ended(folder.name, result)

    def _is_fit(self, folder: str) -> bool:
        return any(
            part.is_fit and folder == fit.folder for part in PARTS for fit in part.fits(self.asked)
        )

    def _same_parameters(self) -> bool:
        return stored_json(self.folder.overrides) == self.identity

    def _begin(self) -> None:
        if self.final_dir.exists():
            kept = aside(self.final_dir)
            self.final_dir.rename(kept)
            self.say(f"the final job of earlier parameters is kept in {kept}")
        self.final_dir.mkdir(parents=True)
        write_json(self.folder.overrides, self.identity)


def _subdir(job: Job) -> str:
    told = [o.split("=", 1)[1] for o in job.overrides if o.startswith("hydra.sweep.subdir=")]
    # The last one counts, as for Hydra.
    return told[-1]


def _failure(job: Job) -> str:
    name = _subdir(job)
    return f"the final job must finish, but {name} failed: {{reason}}; see its trial.log."
