"""Twenty kills at random moments of one study, of the controller or of a worker.

What is promised afterwards: the total is exact, no trial is lost, told twice or left open, and
no folder was written by two jobs.
"""

import random
import time
from typing import Any

import psutil
import pytest
from optuna.trial import FrozenTrial, TrialState
from program import TIMEOUT_S, counted, in_state, is_alive

pytestmark = pytest.mark.sweep

N_KILLS = 20
N_TRIALS = 40
WHAT = (f"study.n_trials={N_TRIALS}", "study.max_retries=20", "seconds=0.2")


def kill_at_random(program, rng: random.Random, eventually) -> tuple[str, list[psutil.Process]]:
    """Start the command, kill one of its processes at random; which kind, and all workers."""
    trials_dir = program.study_dir / "trials"
    before = len(list(trials_dir.glob("*")))
    process = program.start(*WHAT)
    if rng.random() < 0.25:  # while it starts
        time.sleep(rng.uniform(0.1, 1.5))
    else:  # while it searches
        eventually(lambda: len(list(trials_dir.glob("*"))) > before)
        time.sleep(rng.uniform(0.0, 0.5))
    workers = program.workers(process) if process.poll() is None else []
    victim = rng.choice(["controller", "worker"]) if workers else "controller"
    if victim == "worker":
        rng.choice(workers).kill()
        time.sleep(rng.uniform(0.0, 0.3))
    # A study whose worker died goes on; so that it does not finish, its controller is next.
    process.kill()
    process.communicate(timeout=TIMEOUT_S)
    return victim, workers


def given(trial: FrozenTrial) -> dict[str, Any]:
    """The parameters that a trial has, or was to have when it was killed too early."""
    return {**trial.system_attrs.get("fixed_params", {}), **trial.params}


def test_after_twenty_kills_the_study_is_whole(program, eventually):
    rng, killed = random.Random(0), []
    for _ in range(N_KILLS):
        victim, workers = kill_at_random(program, rng, eventually)
        killed.append(victim)
        eventually(lambda ended=workers: not any(is_alive(worker) for worker in ended))
    before = program.trials()
    assert len(counted(in_state(before, TrialState.COMPLETE))) < N_TRIALS
    assert {"controller", "worker"} <= set(killed)
    status, _, err = program.run(*WHAT)
    assert (status, err) == (0, "")
    trials = program.trials()

    # Exact, and every trial closed.
    assert len(counted(trials)) == N_TRIALS
    assert {t.state for t in counted(trials)} == {TrialState.COMPLETE}
    assert {t.state for t in trials} == {TrialState.COMPLETE, TrialState.FAIL}
    # Told once: what was told before the last start has not changed.
    told = in_state(before, TrialState.COMPLETE)
    assert [trials[t.number] for t in told] == told
    # None is lost: each that was interrupted lives on in exactly one other.
    for lost in in_state(trials, TrialState.FAIL):
        successors = [t for t in trials if t.user_attrs.get("retry_of") == lost.number]
        assert [given(again) for again in successors] == [given(lost)] * bool(given(lost))
    xs = [t.params["x"] for t in counted(trials)]
    assert len(set(xs)) == N_TRIALS
    # Each folder belongs to one job at most, that of a completed trial to exactly one.
    folders = program.folders()
    assert set(folders.values()) <= {0, 1}
    assert all(folders[t.number] == 1 for t in counted(trials))
    print(
        f"{len(killed)} kills ({killed.count('worker')} began with a worker) in a study of"
        f" {N_TRIALS} trials: {len(trials) - N_TRIALS} interrupted trials were tried again"
    )
