"""What must hold after any fault: totals, folders, nothing told twice, one line, nobody running."""

import subprocess
from collections.abc import Iterable, Sequence
from typing import Any

import psutil
from optuna.trial import FrozenTrial, TrialState
from program import TIMEOUT_S, Program, counted, in_state, is_alive


def assert_whole(program: Program, n_trials: int) -> None:
    """The total is exact, no trial is lost or left open, no folder was written twice."""
    trials = program.trials()
    assert len(counted(trials)) == n_trials
    assert all(trial.state.is_finished() for trial in trials)
    # A job may have ended between making its folder and writing into it.
    assert set(program.folders().values()) <= {0, 1}
    assert_none_is_lost(trials)
    xs = [trial.params["x"] for trial in counted(trials)]
    assert len(set(xs)) == n_trials


def assert_none_is_lost(trials: Sequence[FrozenTrial]) -> None:
    """Each trial that was interrupted lives on in exactly one other, with its parameters."""
    for lost in (t for t in trials if t.user_attrs.get("retried")):
        again = [t for t in trials if t.user_attrs.get("retry_of") == lost.number]
        assert [given(t) for t in again] == [given(lost)] * bool(given(lost))


def given(trial: FrozenTrial) -> dict[str, Any]:
    """The parameters that a trial has, or was to have when it was killed too early."""
    return {**trial.system_attrs.get("fixed_params", {}), **trial.params}


def assert_told_once(before: Sequence[FrozenTrial], after: Sequence[FrozenTrial]) -> None:
    """What had completed is what it was."""
    told = in_state(before, TrialState.COMPLETE)
    assert [after[t.number] for t in told] == told


def assert_nobody_runs(processes: Iterable[psutil.Process]) -> None:
    assert [p.pid for p in processes if is_alive(p)] == []


def assert_one_line(status: int, err: str, *words: str) -> None:
    """A mistake or a fault that only the user can mend: status 1, one line with these words."""
    assert status == 1, err
    (line,) = err.splitlines()
    assert "Traceback" not in line
    assert all(word in line for word in words), line


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Exit status and standard error, when the process has ended by itself."""
    _, err = process.communicate(timeout=TIMEOUT_S)
    return process.returncode, err
