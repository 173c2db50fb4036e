"""The final job, seen from the controller: fold jobs on all slots, then the refit on all cores.

Several refits, which differ in their seeds, share the slots as the folds do.

Beside the folds may run one more fit, the holdout, for which no early stopping applies.

Some trials of the search are fitted again, wherever a slot is free, and drawn side by side.

What is done stays done: a final job that was interrupted goes on at the missing folds, and one that
belongs to other parameters is moved aside, not overwritten.
"""

import json
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from lightning_hpo.launchers.slot import Job, SlotDied
from lightning_hpo.launchers.workers import cpu_cores
from lightning_hpo.messages import PROGRESS_FILE
from lightning_hpo.sweep.executors import Executor
from lightning_hpo.sweep.verdict import required_result
from lightning_hpo.sweep.writing import write_json

MARKER = "overrides.json"
_RESULT = "result.json"
# Far from any trial number, so that logs of trials and of the final job are told apart.
_FIRST_JOB_ID = 1_000_000
_SHOWCASE = "showcase"


class FitObserver(Protocol):
    """Sees the fits of the final job start and end; the live display is one."""

    def fit_started(self, name: str, slot: int, folder: Path) -> None: ...

    def fit_ended(self, name: str, result: Mapping[str, Any] | None) -> None:
        """``result``: as the job returned it; None: its process died, it is tried once more."""


@dataclass(frozen=True)
class Task:
    """A job of the final job.

    ``name``: of its folder. ``says``: the line above it, told once for all tasks that share it.
    ``after``: folders whose jobs must have ended. ``alone``: on all cores, beside nothing else.
    ``trial``: the number of the trial that it fits again.
    """

    name: str
    says: str
    after: frozenset[str] = frozenset()
    alone: bool = False
    trial: int | None = None


@dataclass(frozen=True)
class Finale:
    """Cross-validation of ``overrides`` in ``n_splits`` folds (0: none), then refits and tests.

    ``holdout``: whether the fit on a part of the training data for all epochs is done too.
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
    showcase: Mapping[str, int] = field(default_factory=dict)
    observer: FitObserver | None = None

    @property
    def identity(self) -> list[str]:
        """What decides the model: bookkeeping, such as study.n_trials, does not."""
        return [o for o in self.overrides if not o.startswith(("study.", "hydra.", "hydra/"))]

    def is_done(self) -> bool:
        """Whether this very final job has already been done."""
        drawn = [_SHOWCASE] if self.showcase else []
        return self._same_parameters() and not self._missing([*self._refits, *drawn])

    def run(self) -> None:
        """Do what is missing; raises :class:`StudyFailed` when a fit fails."""
        if not self._same_parameters():
            self._begin()
        tasks = self._tasks()
        wanted = self._wanted()
        self._run_all({self._job(k, t): t for k, t in enumerate(tasks) if t.name in wanted})

    def _wanted(self) -> set[str]:
        """The folders of what is to be done."""
        parts = self._missing(self._parts)
        # The folds say how long a refit trains.
        refits = self._refits if parts else self._missing(self._refits)
        shown = self._missing([*self._shown, _SHOWCASE]) if self._missing([_SHOWCASE]) else []
        return {*parts, *refits, *shown}

    def _tasks(self) -> list[Task]:
        """All that the final job consists of; what comes first goes first to a free slot."""
        parts = [Task(name, self._words_for_parts()) for name in self._parts]
        return [*parts, *self._refit_tasks(), *(self._showcase_tasks() if self.showcase else [])]

    def _refit_tasks(self) -> list[Task]:
        several = f" with {self.n_refits} seeds" if self.n_refits > 1 else ""
        says = f"refit on all training data{several}, test, figures"
        after, alone = frozenset(self._parts), len(self._wanted() & {*self._refits}) == 1
        return [Task(name, says, after=after, alone=alone) for name in self._refits]

    def _showcase_tasks(self) -> list[Task]:
        """Fit the shown trials again, each in a job, and draw them in another."""
        trials = ", ".join(f"{number} ({role})" for role, number in self.showcase.items())
        says = f"trials {trials} again, to be seen side by side"
        fits = [Task(name, says, trial=number) for name, number in self._shown.items()]
        return [*fits, Task(_SHOWCASE, says, after=frozenset(self._shown))]

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
        return [name for name in fits if not (self.final_dir / name / _RESULT).is_file()]

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

    def _run_all(self, tasks: Mapping[Job, Task]) -> None:
        waiting, running, again, said = list(tasks), set[Job](), set[Job](), set[str]()
        while waiting or running:
            while (job := self._next(tasks, waiting, running)) is not None:
                waiting.remove(job)
                running.add(job)
                if tasks[job].says not in said:
                    said.add(tasks[job].says)
                    self.say(tasks[job].says)
                self._start(job)
            for job, end in self.executor.wait():
                running.remove(job)
                if isinstance(end, SlotDied) and job not in again:
                    again.add(job)
                    waiting.append(job)
                    self._ended(job, None)
                else:
                    self._ended(job, required_result(end, failure=_failure(job)))

    def _next(
        self, tasks: Mapping[Job, Task], waiting: Sequence[Job], running: Set[Job]
    ) -> Job | None:
        """The first job that may start now."""
        if not self.executor.n_free or any(tasks[job].alone for job in running):
            return None
        unfinished = {tasks[job].name for job in (*waiting, *running)}
        ready = (job for job in waiting if not tasks[job].after & unfinished)
        return next((job for job in ready if not (tasks[job].alone and running)), None)

    def _start(self, job: Job) -> None:
        folder = self.final_dir.parent / _subdir(job)
        # A fit that was interrupted leaves one, which says nothing about this fit.
        (folder / PROGRESS_FILE).unlink(missing_ok=True)
        if self.observer is not None and folder.name != _SHOWCASE:
            self.observer.fit_started(folder.name, self.executor.next_slot, folder)
        self.executor.submit(job)

    def _ended(self, job: Job, result: Mapping[str, Any] | None) -> None:
        folder = self.final_dir.parent / _subdir(job)
        (folder / PROGRESS_FILE).unlink(missing_ok=True)
        if self.observer is not None and folder.name != _SHOWCASE:
            self.observer.fit_ended(folder.name, result)

    def _same_parameters(self) -> bool:
        marker = self.final_dir / MARKER
        return marker.is_file() and json.loads(marker.read_text()) == self.identity

    def _begin(self) -> None:
        if self.final_dir.exists():
            earlier = 1
            while (aside := self.final_dir.with_name(f"final_{earlier}")).exists():
                earlier += 1
            self.final_dir.rename(aside)
            self.say(f"the final job of earlier parameters is kept in {aside}")
        self.final_dir.mkdir(parents=True)
        write_json(self.final_dir / MARKER, self.identity)


def _subdir(job: Job) -> str:
    return next(o.split("=", 1)[1] for o in job.overrides if o.startswith("hydra.sweep.subdir="))


def _failure(job: Job) -> str:
    name = _subdir(job)
    return f"the final job must finish, but {name} failed: {{reason}}; see its trial.log."
