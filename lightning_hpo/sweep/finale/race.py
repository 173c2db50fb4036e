"""The race, seen from the controller: its evaluations run round by round, on all slots.

What is done stays done: a race that was interrupted goes on at the missing evaluations. One of
other candidates is moved aside, and what it has measured of the same parameters is taken over.
"""

import math
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from optuna.trial import FrozenTrial

from lightning_hpo.errors import StudyFailed
from lightning_hpo.launchers.executors import Executor
from lightning_hpo.launchers.job import Job
from lightning_hpo.protocol.files import stored_json, stored_object, write_json
from lightning_hpo.protocol.folder import JobFolder, RaceFolder, StudyFolder, aside
from lightning_hpo.results.race import Standing, Values, standing, told_apart, winner
from lightning_hpo.results.text import count
from lightning_hpo.sweep.finale.plan import FitObserver, decisive
from lightning_hpo.sweep.finale.tasks import Task, TaskRun

# Far from any trial number and from the final job's, and the rounds from each other.
_FIRST_JOB_ID, _OF_A_ROUND = 2_000_000, 100


@dataclass(frozen=True)
class Race:
    """The race of ``candidates``, best of the search first, with the ``overrides`` of each.

    ``sizes``: how many run in each round. ``observer``: is told of each evaluation by its trial.
    """

    executor: Executor
    study_dir: Path
    candidates: Sequence[FrozenTrial]
    overrides: Mapping[int, tuple[str, ...]]
    sizes: tuple[int, ...]
    minimize: bool
    say: Callable[[str], None]
    observer: FitObserver | None = None

    @property
    def folder(self) -> RaceFolder:
        return StudyFolder(self.study_dir).race

    @property
    def identity(self) -> list[str]:
        """What decides the race: its size, and each candidate's parameters."""
        return [f"race of {self.sizes}", *map(self._named, self.overrides)]

    def is_done(self) -> bool:
        return self._same_candidates() and stored_object(self.folder.result) is not None

    def winner(self) -> int | None:
        """Of a race that is done; None: every candidate failed."""
        found: int | None = (stored_object(self.folder.result) or {}).get("winner")
        return found

    def run(self) -> None:
        """Do what is missing; raises the user's mistake where one keeps a candidate from it."""
        if not self._same_candidates():
            self._begin()
        while (found := self._standing()).missing:
            self._run_round(len(found.rounds) - 1, found)
        write_json(self.folder.result, self._summary(found))

    def _standing(self) -> Standing:
        numbers = [trial.number for trial in self.candidates]
        return standing(numbers, self._values(), self.sizes, minimize=self.minimize)

    def _values(self) -> Values:
        return {
            trial.number: [_value(result) for result in self._results(trial.number)]
            for trial in self.candidates
        }

    def _results(self, number: int) -> list[dict[str, Any]]:
        """Of this trial's evaluations that are done, round by round."""
        folders = [self.folder.job(index, number) for index in range(len(self.sizes))]
        found = (stored_object(folder.result) for folder in folders)
        done: list[dict[str, Any]] = []
        for result in found:
            if result is None:
                break
            done.append(result)
        return done

    def _run_round(self, index: int, found: Standing) -> None:
        many = count(len(found.rounds[-1]), "trial")
        says = f"race, round {index + 1} of {len(self.sizes)}: {many}"
        self.say(says)
        first = _FIRST_JOB_ID + _OF_A_ROUND * index
        jobs = {
            self._job(first + place, index, number): Task(f"trial_{number}", says)
            for place, number in enumerate(found.missing)
        }
        TaskRun(
            self.executor, jobs, self._started, self._ended, lambda job: "{reason}", self._failed
        ).run()

    def _job(self, job_id: int, index: int, number: int) -> Job:
        where = self.folder.job(index, number).path.relative_to(self.study_dir)
        told = (
            "study.job=race",
            f"study.race_round={index}",
            f"study.trial_number={number}",
            f"hydra.sweep.subdir={where}",
        )
        return Job(job_id, (*self.overrides[number], *told))

    def _started(self, job: Job) -> None:
        folder = self._folder_of(job)
        folder.progress.unlink(missing_ok=True)
        if self.observer is not None:
            self.observer.fit_started(folder.path.name, self.executor.next_slot, folder.path)

    def _ended(self, job: Job, result: Mapping[str, Any] | None) -> None:
        folder = self._folder_of(job)
        folder.progress.unlink(missing_ok=True)
        if self.observer is not None:
            self.observer.fit_ended(folder.path.name, result)

    def _failed(self, job: Job, error: StudyFailed) -> None:
        folder = self._folder_of(job)
        folder.path.mkdir(parents=True, exist_ok=True)
        write_json(folder.result, {"value": None, "failed": str(error)})

    def _folder_of(self, job: Job) -> JobFolder:
        return JobFolder(self.study_dir / job.overrides[-1].partition("=")[2])

    def _summary(self, found: Standing) -> dict[str, Any]:
        """What ``results.json`` tells of the race."""
        values = self._values()
        won = winner(found, values, minimize=self.minimize)
        apart = {} if won is None else told_apart(won, values, minimize=self.minimize)
        results = [result for number in values for result in self._results(number)]
        return {
            "rounds": [list(numbers) for numbers in found.rounds],
            "candidates": [self._told(trial, found) for trial in self.candidates],
            "winner": won,
            "told_apart": [number for number, beaten in apart.items() if beaten],
            "split_anew": any(result.get("split_anew") for result in results),
        }

    def _told(self, trial: FrozenTrial, found: Standing) -> dict[str, Any]:
        results = self._results(trial.number)
        values = list(map(_value, results))
        why = [str(result["failed"]) for result in results if result.get("failed")]
        left = found.left.get(trial.number)
        return {
            "number": trial.number,
            "value": trial.value,
            "params": trial.params,
            "values": values + [None] * (len(found.rounds) - len(values)),
            "left": ": ".join([left, *why]) if left else None,
            "n_parameters": results[0].get("n_parameters"),
        }

    def _named(self, number: int) -> str:
        return f"trial {number}: {' '.join(decisive(self.overrides[number]))}"

    def _same_candidates(self) -> bool:
        return stored_json(self.folder.candidates) == self.identity

    def _begin(self) -> None:
        kept = None
        if self.folder.path.exists():
            kept = RaceFolder(aside(self.folder.path))
            self.folder.path.rename(kept.path)
            self.say(f"the race of earlier candidates is kept in {kept.path}")
        self.folder.path.mkdir(parents=True)
        if kept is not None:
            self._take_over(kept)
        write_json(self.folder.candidates, self.identity)

    def _take_over(self, earlier: RaceFolder) -> None:
        """Copy what was measured of the same parameters: the rounds have the same splits."""
        known = stored_json(earlier.candidates)
        if not isinstance(known, list):
            return
        for trial in self.candidates:
            if self._named(trial.number) not in known:
                continue
            for index in range(len(self.sizes)):
                before = earlier.job(index, trial.number)
                if stored_object(before.result) is not None:
                    shutil.copytree(before.path, self.folder.job(index, trial.number).path)


def _value(result: Mapping[str, Any]) -> float | None:
    found = result.get("value")
    return found if isinstance(found, int | float) and math.isfinite(found) else None
