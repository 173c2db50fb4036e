"""The final job, seen from the controller: fold jobs on all slots, then the refit on all cores.

Several refits, which differ in their seeds, share the slots as the folds do.

Beside the folds may run one more fit, the holdout, for which no early stopping applies.

What is done stays done: a final job that was interrupted goes on at the missing folds, and one that
belongs to other parameters is moved aside, not overwritten.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lightning_hpo.launchers.slot import Job, SlotDied
from lightning_hpo.launchers.workers import cpu_cores
from lightning_hpo.sweep.executors import Executor
from lightning_hpo.sweep.verdict import required_result
from lightning_hpo.sweep.writing import write_json

MARKER = "overrides.json"
_RESULT = "result.json"
# Far from any trial number, so that logs of trials and of the final job are told apart.
_FIRST_JOB_ID = 1_000_000


@dataclass(frozen=True)
class Finale:
    """Cross-validation of ``overrides`` in ``n_splits`` folds (0: none), then refits and tests.

    ``holdout``: whether the fit on a part of the training data for all epochs is done too.
    """

    executor: Executor
    final_dir: Path
    overrides: tuple[str, ...]
    n_splits: int
    say: Callable[[str], None]
    holdout: bool = False
    n_refits: int = 1

    @property
    def identity(self) -> list[str]:
        """What decides the model: bookkeeping, such as study.n_trials, does not."""
        return [o for o in self.overrides if not o.startswith(("study.", "hydra.", "hydra/"))]

    def is_done(self) -> bool:
        """Whether this very final job has already been done."""
        return self._same_parameters() and not self._missing(self._refits)

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
        several = f" with {self.n_refits} seeds" if self.n_refits > 1 else ""
        self.say(f"refit on all training data{several}, test, figures")
        threads = cpu_cores() if len(refits) == 1 else None
        first = len(fits)
        self._run_all([self._job(first + k, name, threads) for k, name in enumerate(refits)])

    @property
    def _refits(self) -> list[str]:
        return ["refit", *(f"refit_{k}" for k in range(1, self.n_refits))]

    def _missing(self, fits: Sequence[str]) -> list[str]:
        return [name for name in fits if not (self.final_dir / name / _RESULT).is_file()]

    def _announcement(self) -> str:
        folds = f"cross-validation of the best parameters, {self.n_splits} folds"
        longest = "a fit without early stopping"
        return ", and ".join([folds] * bool(self.n_splits) + [longest] * self.holdout)

    def _job(self, index: int, folder: str, threads: int | None = None) -> Job:
        kind, _, number = folder.partition("_")
        numbers = {"fold": "null", "refit": "null", kind: number or "null"}
        told = (f"study.job={kind}", *(f"study.{k}={numbers[k]}" for k in ("fold", "refit")))
        where = f"hydra.sweep.subdir={self.final_dir.name}/{folder}"
        return Job(_FIRST_JOB_ID + index, (*self.overrides, *told, where), threads)

    def _run_all(self, jobs: Sequence[Job]) -> None:
        waiting, running, again = list(jobs), 0, set()
        while waiting or running:
            while waiting and self.executor.n_free:
                self.executor.submit(waiting.pop(0))
                running += 1
            for job, end in self.executor.wait():
                running -= 1
                if isinstance(end, SlotDied) and job.id not in again:
                    again.add(job.id)
                    waiting.append(job)
                else:
                    required_result(end, failure=_failure(job))

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


def _failure(job: Job) -> str:
    name = next(o.split("=", 1)[1] for o in job.overrides if o.startswith("hydra.sweep.subdir="))
    return f"the final job must finish, but {name} failed: {{reason}}; see its trial.log."
