"""The search: ask the study, submit to a slot, tell the study, until the total is reached.

There is no barrier: a slot that ends gets the next trial at once, however long the others take.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.study._tell import _tell_with_warning
from optuna.trial import FrozenTrial, TrialState

from lightning_hpo.errors import StudyFailed
from lightning_hpo.jobs.retries import passed_over
from lightning_hpo.launchers.executors import Executor
from lightning_hpo.launchers.job import Job, SlotDied
from lightning_hpo.machine.signals import whole
from lightning_hpo.protocol.attributes import CONFIGURED, MISTAKE, RETRIED
from lightning_hpo.storage.study import storage_errors
from lightning_hpo.storage.writable import must_be_writable
from lightning_hpo.sweep.fleet.controllers import Controller
from lightning_hpo.sweep.fleet.foreign import is_foreign
from lightning_hpo.sweep.search import asking
from lightning_hpo.sweep.search.space import SearchSpace
from lightning_hpo.sweep.search.verdict import Verdict, judge

if TYPE_CHECKING:
    from hydra.core.utils import JobReturn

log = logging.getLogger(__name__)

# As Optuna's own loop calls them, for example its terminator or a tracker's callback.
StudyCallback = Callable[[optuna.Study, FrozenTrial], None]

# What a trial's job is told beside its parameters: overrides, by the trial's number and its own.
Told = Callable[[int, Sequence[str]], Sequence[str]]

# When the first trials all fail, so will the others.
_HOPELESS_AFTER = 3
# How often a controller looks whether another one has died or finished.
_LOOK_ROUND_S = 0.5
# A storage URL may hold a password.
_SECRET = ("study.storage", "hydra.sweeper.storage")


class Observer(Protocol):
    """Sees trials start, report and end; the live display is one."""

    def started(self, trial: FrozenTrial) -> None: ...

    def reported(self, running: Sequence[FrozenTrial]) -> None:
        """All trials that run now, others' too, with their intermediate values so far."""

    def finished(self, number: int, verdict: Verdict, seconds: float) -> None: ...


@dataclass(frozen=True)
class Limits:
    """When the search ends. ``n_trials``: the study's total, also after a resume."""

    n_trials: int
    max_failure_rate: float = 0.5
    max_retries: int = 1
    timeout_s: float | None = None
    trial_timeout_s: float | None = None


class Search:
    """Runs trials of ``study`` until its total is reached, its time is up or hope is lost."""

    def __init__(
        self,
        study: optuna.Study,
        space: SearchSpace,
        executor: Executor,
        owner: Controller,
        *,
        limits: Limits,
        observer: Observer,
        callbacks: Sequence[StudyCallback] = (),
        told: Told | None = None,
        marks: Mapping[str, Any] | None = None,
    ) -> None:
        self.study = study
        self.space = space
        self.executor = executor
        self.owner = owner
        self.limits = limits
        self.observer = observer
        self.callbacks = callbacks
        self.told = told or _told_number
        # Attributes of every trial that this run asks for.
        self.marks = marks or {}
        self._running: dict[int, tuple[FrozenTrial, float]] = {}
        self._finished: list[Verdict] = []
        self._waits = False
        # The first trials that have ended, and how many of them the total counts.
        self._settled = self._counted = 0

    def run(self) -> int:
        """The number of trials that ended in this run. Closes its trials when interrupted.

        Raises:
            StudyFailed: when too many trials fail or the storage does.
        """
        try:
            with must_be_writable():
                self._run(self._deadline())
        finally:
            # What cannot be closed now, for want of a storage, the next start finds and closes.
            with suppress(*storage_errors()):
                self._close_running("the sweep was interrupted")
        return len(self._finished)

    def _run(self, deadline: float | None) -> None:
        while True:
            self._fill_slots(deadline)
            if self._running:
                ended = self.executor.wait(_LOOK_ROUND_S)
                for job, end in ended:
                    self._end(job, self._judge(end))
                if ended:
                    continue
                # A controller beside this one may have died meanwhile and left trials to do.
                self.recover()
            elif self._stopped(deadline) or not (self.recover() or self._more_to_come()):
                return

    def _judge(self, end: "JobReturn | SlotDied") -> Verdict:
        n_objectives = len(self.study.directions)
        return judge(end, n_objectives=n_objectives, study_dir=self.owner.study_dir)

    def _more_to_come(self) -> bool:
        """Whether controllers that share the study may yet leave trials to do; waits a moment."""
        # An interrupt inside a driver's call would leave its connection unusable.
        with whole():
            trials = self.study.get_trials(deepcopy=False)
        if self._remaining(trials) > 0:
            return True
        running = [t for t in trials if t.state is TrialState.RUNNING and not is_foreign(t)]
        if running:
            if not self._waits:
                log.info(f"{len(running)} trials still run elsewhere; their end is waited for")
            self._waits = True
            time.sleep(_LOOK_ROUND_S)
        return bool(running)

    def remaining(self) -> int:
        """Trials still to be started; those being tried again do not count twice."""
        return self._remaining(self.study.get_trials(deepcopy=False))

    def _remaining(self, trials: Sequence[FrozenTrial]) -> int:
        counted = sum(_counts(trial) for trial in self._unsettled(trials))
        return self.limits.n_trials - self._counted - counted

    def _unsettled(self, trials: Sequence[FrozenTrial]) -> Sequence[FrozenTrial]:
        """Those behind the first one that has not ended; the others never change again.

        So nobody looks through thousands of them for each trial.
        """
        while self._settled < len(trials) and trials[self._settled].state.is_finished():
            self._counted += _counts(trials[self._settled])
            self._settled += 1
        return trials[self._settled :]

    def enqueue(
        self, points: Sequence[Mapping[str, Any]], marks: Mapping[str, Any] | None = None
    ) -> None:
        """Queue start points, those that the study has not had, as far as its total allows.

        More would stand in the way of a trial that is to be tried again, which queues behind them.
        ``marks``: attributes of their trials.
        """
        with whole(), self.owner.exclusive():
            for point in points:
                trials = self.study.get_trials(deepcopy=False)
                waiting = sum(trial.state is TrialState.WAITING for trial in trials)
                if waiting < self._remaining(trials):
                    self.study.enqueue_trial(dict(point), dict(marks or {}), skip_if_exists=True)

    def recover(self) -> list[int]:
        """Close and requeue trials whose controller died; their numbers."""
        if not self._lost():
            return []
        with whole(), self.owner.exclusive():
            # Asking and signing happen under the lock: a trial without an owner lost its own.
            closed = []
            for trial in self._lost():
                # One that only was slow may end its trial at this very moment.
                with suppress(UpdateFinishedTrialError):
                    self._fail(trial.number, "its controller died", again=True, counts=False)
                    closed.append(trial.number)
        return closed

    def _lost(self) -> list[FrozenTrial]:
        with whole():
            self.owner.look()
            running = self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
            self.observer.reported(running)
            ours = [trial for trial in running if not is_foreign(trial)]
            alive = self.owner.living({trial.user_attrs.get("owner", "") for trial in ours})
            return [t for t in ours if t.user_attrs.get("owner", "") not in alive]

    def _deadline(self) -> float | None:
        timeout_s = self.limits.timeout_s
        return None if timeout_s is None else time.monotonic() + timeout_s

    def _fill_slots(self, deadline: float | None) -> None:
        while self.executor.n_free and not self._stopped(deadline):
            trial = self._claim()
            if trial is None:
                return
            self._submit(trial)

    def _stopped(self, deadline: float | None) -> bool:
        late = deadline is not None and time.monotonic() >= deadline
        return late or self.study._stop_flag

    def _claim(self) -> FrozenTrial | None:
        with whole():
            with self.owner.exclusive():
                trials = self.study.get_trials(deepcopy=False)
                if self._remaining(trials) <= 0:
                    return None
                attributes = {"owner": self.owner.id, "slot": self.executor.next_slot}
                fixed = {
                    k: v for k, v in self.space.fixed_params.items() if k.lstrip("+") not in _SECRET
                }
                trial = asking.ask(
                    self.study,
                    trials,
                    open_trials=self._unsettled(trials),
                    suggest=self.space.suggest,
                    user_attrs={**attributes, **fixed, **self.marks},
                )
            self._running[trial.number] = (trial, time.monotonic())
        return trial

    def _submit(self, trial: FrozenTrial) -> None:
        overrides = self.space.overrides(trial.params)
        overrides = (*overrides, *self.told(trial.number, overrides))
        self.executor.submit(Job(trial.number, overrides, timeout_s=self.limits.trial_timeout_s))
        self.observer.started(trial)

    def _end(self, job: Job, verdict: Verdict) -> None:
        trial, started_s = self._running[job.id]
        seconds = time.monotonic() - started_s
        with whole():
            verdict = self._tell(trial.number, verdict)
            del self._running[job.id]
        if not verdict.retry:
            self._finished.append(verdict)
        self.observer.finished(trial.number, verdict, seconds)
        self._call_back(trial.number)
        self._check_hope(verdict)

    def _tell(self, number: int, verdict: Verdict) -> Verdict:
        """Tell the study; the verdict says whether the trial is really tried again."""
        self.owner.look()
        trial, _ = self._running[number]
        if self.study._storage.get_trial(trial._trial_id).state.is_finished():
            # This controller was given up for dead, and others try the trial again.
            return Verdict(TrialState.FAIL, reason="another controller took it over", retry=True)
        if verdict.state is not TrialState.FAIL:
            self._tell_study(number, verdict)
            return verdict
        reason = verdict.reason or "unknown"
        with self.owner.exclusive():
            # A place in the total that is free for the retry must not be taken in between.
            again = self._fail(
                number,
                reason,
                again=verdict.retry,
                counts=verdict.blamed,
                mistake=verdict.mistake is not None,
            )
        return replace(verdict, retry=again)

    def _call_back(self, number: int) -> None:
        # Optuna's own callbacks end a study with Study.stop(), which wants to be in its loop.
        self.study._thread_local.in_optimize_loop = True
        try:
            for callback in self.callbacks:
                callback(self.study, self.study.get_trials(deepcopy=False)[number])
        finally:
            self.study._thread_local.in_optimize_loop = False

    def _tell_study(self, number: int, verdict: Verdict) -> None:
        try:
            # As Study.tell, which would then read the trial again to return it.
            _tell_with_warning(
                self.study,
                number,
                state=verdict.state,
                value_or_values=verdict.values,
                skip_if_finished=verdict.state is TrialState.FAIL,
            )
        except RuntimeError as error:
            # The grid sampler asks to stop when its grid is exhausted; the total sees to that.
            if "`Study.stop`" not in str(error):
                raise

    def _fail(
        self, number: int, reason: str, *, again: bool, counts: bool = True, mistake: bool = False
    ) -> bool:
        """Close a trial as FAILED; ``again``: ask for the same parameters in a new trial.

        ``counts``: as one of the tries that ``max_retries`` allows. ``mistake``: it tells nothing
        of its parameters, and takes no place in the total. Returns whether it is retried.
        """
        storage = self.study._storage
        trial_id = storage.get_trial_id_from_study_id_trial_number(self.study._study_id, number)
        trial = storage.get_trial(trial_id)
        tries = trial.user_attrs.get("tries", 1) + counts
        storage.set_trial_user_attr(trial_id, "failure", reason)
        if mistake:
            storage.set_trial_user_attr(trial_id, MISTAKE, True)
        again = again and tries <= self.limits.max_retries + 1
        if again:
            # All this before the tell: a kill in between leaves a running trial without an owner,
            # which the next start finds and closes, without requeueing it twice.
            storage.set_trial_user_attr(trial_id, RETRIED, True)
            self._requeue(trial, tries)
        self._tell_study(number, Verdict(TrialState.FAIL))
        return again

    def _requeue(self, trial: FrozenTrial, tries: int) -> None:
        # A trial that was itself waiting in the queue may have ended before it was given them.
        params = {**trial.system_attrs.get("fixed_params", {}), **trial.params}
        others = self.study.get_trials(deepcopy=False)
        if params and not any(t.user_attrs.get("retry_of") == trial.number for t in others):
            kept = {k: v for k, v in trial.user_attrs.items() if k == CONFIGURED}
            marks = {**kept, "retry_of": trial.number, "tries": tries}
            self.study.enqueue_trial(params, user_attrs=marks)

    def _check_hope(self, verdict: Verdict) -> None:
        if verdict.mistake is not None:
            raise verdict.mistake
        failed = [v for v in self._finished if v.state is TrialState.FAIL]
        allowed = self.limits.max_failure_rate * self.limits.n_trials
        hopeless = len(failed) == len(self._finished) >= _HOPELESS_AFTER
        if self.limits.max_failure_rate < 1 and (hopeless or len(failed) > allowed):
            raise StudyFailed(
                f"at most a share of hydra.sweeper.max_failure_rate={self.limits.max_failure_rate}"
                f" of the trials may fail, but {len(failed)} of {len(self._finished)} did;"
                f" the last: {failed[-1].reason}."
            )

    def _close_running(self, reason: str) -> None:
        with whole():
            for number in list(self._running):
                with suppress(UpdateFinishedTrialError), self.owner.exclusive():
                    self._fail(number, reason, again=True, counts=False)
                del self._running[number]


def _told_number(number: int, overrides: Sequence[str]) -> Sequence[str]:
    return (f"study.trial_number={number}",)


def _counts(trial: FrozenTrial) -> bool:
    return trial.state is not TrialState.WAITING and not passed_over(trial)
