"""One search in a world: two slots, a sampler, a pruner, and an epoch of each slot at a time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

import optuna
from optuna.pruners import BasePruner, WilcoxonPruner
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, Trial, TrialState

from benchmarks.replayed.spaces import suggest
from benchmarks.replayed.worlds import World
from lightning_hpo.protocol.attributes import STOPPED_AFTER_FOLD

N_SLOTS = 2


@dataclass(frozen=True)
class Outcome:
    """Where a search stood when its budget was spent.

    ``regret``: of the whole trial that looked best; None where no trial was whole yet.
    ``n_trials``: how many had been asked for, ``n_pruned`` of them ended early.
    """

    regret: float | None
    n_trials: int
    n_pruned: int


@dataclass
class _Running:
    trial: Trial
    reports: Sequence[float]
    objective: float
    n_reported: int = 0


@dataclass
class Simulation:
    """A search whose trials cost the same for each report, so that slots keep step.

    A slot whose trial has ended asks for the next one while the others still run, as ours do.
    ``first``: parameters of the first trial; what they lack is suggested.
    """

    world: World
    epochs: Sequence[int]
    sampler: BaseSampler
    pruner: BasePruner
    first: Mapping[str, Any] = field(default_factory=dict)
    running: list[_Running | None] = field(default_factory=lambda: [None] * N_SLOTS)

    def run(self, budgets: Sequence[int]) -> list[Outcome]:
        """The outcome after each of ``budgets``, ascending, in trials' worth of epochs."""
        # Hyperband draws a trial's bracket by the study's name.
        name = f"world {self.world.seed}"
        self.study = optuna.create_study(sampler=self.sampler, pruner=self.pruner, study_name=name)
        if self.first:
            self.study.enqueue_trial(dict(self.first))
        outcomes, spent = [], 0
        for budget in budgets:
            while spent < budget * len(self.epochs):
                for slot in range(N_SLOTS):
                    self._step(slot)
                spent += N_SLOTS
            outcomes.append(self._outcome())
        return outcomes

    def _step(self, slot: int) -> None:
        now = self.running[slot] or self._asked()
        self.running[slot] = now
        step = self.epochs[now.n_reported] - 1
        now.trial.report(now.reports[now.n_reported], step)
        now.n_reported += 1
        if now.n_reported == len(self.epochs):
            self.study.tell(now.trial, now.objective)
        elif now.trial.should_prune():
            self._end(now)
        else:
            return
        self.running[slot] = None

    def _end(self, now: _Running) -> None:
        """As ours do: the Wilcoxon pruner's word leaves the mean of the folds so far."""
        if not isinstance(self.pruner, WilcoxonPruner):
            self.study.tell(now.trial, state=TrialState.PRUNED)
            return
        now.trial.set_user_attr(STOPPED_AFTER_FOLD, now.n_reported - 1)
        self.study.tell(now.trial, fmean(now.reports[: now.n_reported]))

    def _asked(self) -> _Running:
        trial = self.study.ask()
        params = suggest(trial, self.world.recording)
        reports, objective = self.world.trial(params, trial.number)
        return _Running(trial, [float(value) for value in reports], objective)

    def _outcome(self) -> Outcome:
        trials = self.study.get_trials(deepcopy=False)
        ended = [trial for trial in trials if trial.state.is_finished()]
        whole = [trial for trial in ended if _is_whole(trial)]
        best = min(whole, key=lambda trial: trial.values[0], default=None)
        regret = best and self.world.regret(best.params)
        return Outcome(regret, len(trials), len(ended) - len(whole))


def _is_whole(trial: FrozenTrial) -> bool:
    """Not one over some folds alone, either."""
    return trial.state is TrialState.COMPLETE and STOPPED_AFTER_FOLD not in trial.user_attrs
