"""Processes that die early, come back twice or return what is no number."""

import subprocess

import psutil
import pytest
from optuna.trial import TrialState
from program import TIMEOUT_S, counted, in_state

pytestmark = pytest.mark.sweep


def test_workers_that_are_killed_while_they_start_hold_up_nobody(program):
    """The first is killed as soon as it appears, the second 20 ms later."""
    process = program.start("study.n_jobs=2", "study.n_trials=4")
    killed: list[psutil.Process] = []
    for after_s in (0.0, 0.02):
        victim = next_worker(program, process, killed)
        try:
            process.wait(after_s)
        except subprocess.TimeoutExpired:
            victim.kill()
        killed.append(victim)
    _, err = process.communicate(timeout=TIMEOUT_S)
    assert (process.returncode, err) == (0, "")
    assert len(killed) == 2
    assert len(in_state(counted(program.trials()), TrialState.COMPLETE)) == 4


def next_worker(program, process, known: list[psutil.Process]) -> psutil.Process:
    while process.poll() is None:
        new = [worker for worker in program.workers(process) if worker not in known]
        if new:
            return new[0]
    raise AssertionError(process.communicate())


@pytest.mark.parametrize("launcher", ["workers", "basic"])
def test_a_trial_whose_forked_child_returns_too_has_one_value(program, launcher):
    status, _, err = program.run(
        "acts={1: fork}", "study.n_jobs=1", f"hydra/launcher={launcher}", "seconds=0.2"
    )
    assert (status, err) == (0, "")
    trials = program.trials()
    assert [trial.value for trial in trials] == [trial.params["x"] for trial in trials]
    assert len(trials) == 6


def test_returns_and_errors_of_any_kind_fail_their_trials_with_a_reason(program):
    acts = "{0: huge, 1: odd_number, 2: opens_badly, 3: raise_oddly}"
    status, _, err = program.run(f"acts={acts}", "hydra.sweeper.max_failure_rate=1.0")
    assert (status, err) == (0, "")
    reasons = {
        t.number: t.user_attrs["failure"] for t in in_state(program.trials(), TrialState.FAIL)
    }
    assert "(OverflowError: int too large to convert to float)" in reasons[0]
    assert "an _OddNumber that cannot be shown (RuntimeError: no repr)" in reasons[1]
    assert "a job must return what can be unpickled: out of order" in reasons[2]
    assert "_OddError" in reasons[3]
    assert len(reasons) == 4
    assert len(in_state(program.trials(), TrialState.COMPLETE)) == 2
