"""The final job, seen from the controller: fold jobs on all slots, then the refit on all cores.

Several refits, which differ in their seeds, share the slots as the folds do.

Beside the folds may run one more fit, the holdout, for which no early stopping applies.

Some trials of the search are fitted again, wherever a slot is free, and drawn side by side.

What is done stays done: a final job that was interrupted goes on at the missing folds, and one that
belongs to other parameters is moved aside, not overwritten.
"""

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from lightning_hpo.launchers.executors import Executor
from lightning_hpo.launchers.job import Job
from lightning_hpo.machine.devices import cpu_cores
from lightning_hpo.protocol.files import is_whole_checkpoint, stored_json, stored_object, write_json
from lightning_hpo.protocol.folder import FinalFolder, JobFolder, aside
from lightning_hpo.sweep.finale.tasks import Task, TaskRun

# Far from any trial number, so that logs of trials and of the final job are told apart.
_FIRST_JOB_ID = 1_000_000
_SHOWCASE = "showcase"


class FitObserver(Protocol):
    """Sees the fits of the final job start and end; the live display is one."""

    def fit_started(self, name: str, slot: int, folder: Path) -> None: ...

    def fit_ended(self, name: str, result: Mapping[str, Any] | None) -> None:
        """``result``: as the job returned it; None: it failed, or its process died."""


@dataclass(frozen=True)
class Finale:
    """Cross-validation of ``overrides`` in ``n_splits`` folds (0: none), then refits and tests.

    ``holdout``: whether the fit on a part of the training data for all epochs is done too.
    ``validates``: whether the refits validate too, on a part of the data.
    ``trial``: the number of the trial whose parameters these are.
    ``showcase``: the trials to be shown side by side, by their roles; see shown.py.
    ``observer``: is told of each fit by the name of its folder.
    """

    executor: Executor
    final_dir: Path
    overrides: tuple[str, ...]
    n_splits: int
    say: Callable[[str], None]
    holdout: bool = False
    n_refits: int = 1
    validates: bool = False
    trial: int | None = None
    showcase: Mapping[str, int] = field(default_factory=dict)
    observer: FitObserver | None = None

    @property
    def folder(self) -> FinalFolder:
        return FinalFolder(self.final_dir)

    @property
    def identity(self) -> list[str]:
        """What decides the model: bookkeeping, such as study.n_trials, does not."""
        bookkeeping = ("study.", "hydra.", "hydra/")
        kept = "study.final_epochs="
        return [o for o in self.overrides if o.startswith(kept) or not o.startswith(bookkeeping)]

    def is_done(self) -> bool:
        """Whether this very final job has already been done."""
        drawn = [_SHOWCASE] if self.showcase else []
        return self._same_parameters() and not self._missing([*self._refits, *drawn])

    def run(self) -> None:
        """Do what is missing; raises :class:`StudyFailed` when a fit fails."""
        if not self._same_parameters():
            self._begin()
        self.sign()
        wanted = self._wanted()
        tasks = enumerate(self._tasks(wanted))
        jobs = {self._job(k, task): task for k, task in tasks if task.name in wanted}
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

    def _wanted(self) -> set[str]:
        """The folders of what is to be done."""
        parts = self._missing(self._parts)
        # The folds say how long a refit trains.
        refits = self._refits if parts else self._missing(self._refits)
        return {*parts, *refits, *(self._not_shown() if self._missing([_SHOWCASE]) else [])}

    def _not_shown(self) -> list[str]:
        """What the figure still waits for: also a role that was another trial's before."""
        other = [name for name, number in self._shown.items() if self._fitted(name) != number]
        return [*other, _SHOWCASE]

    def _fitted(self, name: str) -> int | None:
        """The trial that was fitted again in this folder."""
        if self._missing([name]):
            return None
        found = stored_object(self.folder.job(name).result)
        return None if found is None else found.get("number")

    def _tasks(self, wanted: Set[str]) -> list[Task]:
        """All that the final job consists of; what comes first goes first to a free slot."""
        parts = [Task(name, self._words_for_parts()) for name in self._parts]
        shown = self._showcase_tasks() if self.showcase else []
        return [*parts, *self._refit_tasks(alone=len(wanted & {*self._refits}) == 1), *shown]

    def _refit_tasks(self, *, alone: bool) -> list[Task]:
        several = f" with {self.n_refits} seeds" if self.n_refits > 1 else ""
        on = "" if self.validates else " on all training data"
        says = f"refit{on}{several}, test, figures"
        after = frozenset(self._parts)
        return [Task(name, says, after=after, alone=alone) for name in self._refits]

    def _showcase_tasks(self) -> list[Task]:
        """Fit the shown trials again, each in a job, and draw them in another."""
        trials = ", ".join(f"{number} ({role})" for role, number in self.showcase.items())
        says = f"trials {trials} again, to be seen side by side"
        fits = [Task(name, says, extra=True, trial=n) for name, n in self._shown.items()]
        drawn = f"figure of trials {trials}"
        return [*fits, Task(_SHOWCASE, drawn, after=frozenset(self._shown), extra=True)]

    @property
    def _parts(self) -> list[str]:
        return [f"fold_{k}" for k in range(self.n_splits)] + ["holdout"] * self.holdout

    @property
    def _shown(self) -> dict[str, int]:
        return {f"{_SHOWCASE}_{role}": number for role, number in self.showcase.items()}

    @property
    def _refits(self) -> list[str]:
        return ["refit", *(f"refit_{k}" for k in range(1, self.n_refits))]

    def _missing(self, fits: Sequence[str]) -> list[str]:
        return [name for name in fits if not self._is_done(name)]

    def _is_done(self, name: str) -> bool:
        """Whether this fit has left its result, and the first refit no damaged network.

        One that is missing was removed by who needs it no more.
        """
        if stored_object(self.folder.job(name).result) is None:
            return False
        checkpoint = self.folder.checkpoint
        return name != "refit" or not checkpoint.exists() or is_whole_checkpoint(checkpoint)

    def _words_for_parts(self) -> str:
        folds = f"cross-validation of the best parameters, {self.n_splits} folds"
        longest = "a fit without early stopping"
        return ", and ".join([folds] * bool(self.n_splits) + [longest] * self.holdout)

    def _job(self, index: int, task: Task) -> Job:
        kind, _, number = task.name.partition("_")
        numbers = {"fold": "null", "refit": "null", kind: number or "null"}
        told = (f"study.job={kind}", *(f"study.{k}={numbers[k]}" for k in ("fold", "refit")))
        if task.trial is not None:
            told = (*told, f"study.trial_number={task.trial}")
        where = f"hydra.sweep.subdir={self.final_dir.name}/{task.name}"
        threads = cpu_cores() if task.alone else None
        return Job(_FIRST_JOB_ID + index, (*self.overrides, *told, where), threads)

    def _started(self, job: Job) -> None:
        folder = self.final_dir.parent / _subdir(job)
        # A fit that was interrupted leaves one, which says nothing about this fit.
        JobFolder(folder).progress.unlink(missing_ok=True)
        if self.observer is not None and folder.name != _SHOWCASE:
            self.observer.fit_started(folder.name, self.executor.next_slot, folder)

    def _ended(self, job: Job, result: Mapping[str, Any] | None) -> None:
        folder = self.final_dir.parent / _subdir(job)
        JobFolder(folder).progress.unlink(missing_ok=True)
        if self.observer is not None and folder.name != _SHOWCASE:
            self.observer.fit_ended(folder.name, result)

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
