"""The final job, seen from the controller: fold jobs on all slots, then the refit on all cores.

Several refits, which differ in their seeds, share the slots as the folds do.

Beside the folds may run one more fit, the holdout, for which no early stopping applies.

At the end some trials of the search are fitted again, and drawn side by side.

What is done stays done: a final job that was interrupted goes on at the missing folds, and one that
belongs to other parameters is moved aside, not overwritten.
"""

import json
from collections.abc import Callable, Mapping, Sequence
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
        fits = [f"fold_{k}" for k in range(self.n_splits)] + ["holdout"] * self.holdout
        missing = self._missing(fits)
        if missing:
            self.say(self._announcement())
            self._run_all([self._job(k, name) for k, name in enumerate(fits) if name in missing])
        # The folds say how long a refit trains.
        refits = self._refits if missing else self._missing(self._refits)
        if refits:
            self._refit(refits, first=len(fits))
        if self.showcase and self._missing([_SHOWCASE]):
            self._show(first=len(fits) + self.n_refits)

    def _refit(self, refits: Sequence[str], *, first: int) -> None:
        several = f" with {self.n_refits} seeds" if self.n_refits > 1 else ""
        self.say(f"refit on all training data{several}, test, figures")
        threads = cpu_cores() if len(refits) == 1 else None
        self._run_all([self._job(first + k, name, threads) for k, name in enumerate(refits)])

    def _show(self, *, first: int) -> None:
        """Fit the shown trials again, each in a job, and draw them in another."""
        shown = ", ".join(f"{number} ({role})" for role, number in self.showcase.items())
        self.say(f"trials {shown} again, to be seen side by side")
        numbers = {f"{_SHOWCASE}_{role}": number for role, number in self.showcase.items()}
        missing = self._missing([*numbers])
        jobs = [self._job(first + k, name, trial=numbers[name]) for k, name in enumerate(missing)]
        self._run_all(jobs)
        self._run_all([self._job(first + len(jobs), _SHOWCASE)])

    @property
    def _refits(self) -> list[str]:
        return ["refit", *(f"refit_{k}" for k in range(1, self.n_refits))]

    def _missing(self, fits: Sequence[str]) -> list[str]:
        return [name for name in fits if not (self.final_dir / name / _RESULT).is_file()]

    def _announcement(self) -> str:
        folds = f"cross-validation of the best parameters, {self.n_splits} folds"
        longest = "a fit without early stopping"
        return ", and ".join([folds] * bool(self.n_splits) + [longest] * self.holdout)

    def _job(
        self, index: int, folder: str, threads: int | None = None, trial: int | None = None
    ) -> Job:
        kind, _, number = folder.partition("_")
        numbers = {"fold": "null", "refit": "null", kind: number or "null"}
        told = (f"study.job={kind}", *(f"study.{k}={numbers[k]}" for k in ("fold", "refit")))
        if trial is not None:
            told = (*told, f"study.trial_number={trial}")
        where = f"hydra.sweep.subdir={self.final_dir.name}/{folder}"
        return Job(_FIRST_JOB_ID + index, (*self.overrides, *told, where), threads)

    def _run_all(self, jobs: Sequence[Job]) -> None:
        waiting, running, again = list(jobs), 0, set()
        while waiting or running:
            while waiting and self.executor.n_free:
                self._start(waiting.pop(0))
                running += 1
            for job, end in self.executor.wait():
                running -= 1
                if isinstance(end, SlotDied) and job.id not in again:
                    again.add(job.id)
                    waiting.append(job)
                    self._ended(job, None)
                else:
                    self._ended(job, required_result(end, failure=_failure(job)))

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
