"""Runs the real command line in a process of its own, and reads what a study left behind."""

import json
import os
import re
import signal
import subprocess
from pathlib import Path
from typing import Any

import optuna
import warm
from optuna.trial import TrialState

HERE = Path(__file__).parent
TIMEOUT_S = 240


def command(
    folder: Path,
    *overrides: str,
    experiment: str = "tiny",
    code: Path = HERE,
    cold: bool = False,
) -> subprocess.Popen[str]:
    """``python -m lightning_hpo`` in ``folder``; the caller waits for it or ends it.

    ``code``: where the user's own modules lie. ``cold``: its processes are children of each other.
    """
    return warm.popen(
        _words(experiment, overrides),
        cold=cold,
        cwd=folder,
        env=_env(code),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def run(
    folder: Path, *overrides: str, experiment: str = "tiny", code: Path = HERE
) -> tuple[int, str, str]:
    """Exit status, standard output and standard error."""
    words, env = _words(experiment, overrides), _env(code)
    done = warm.run(words, cwd=folder, env=env, timeout=TIMEOUT_S)
    return done.returncode, done.stdout, done.stderr


def _words(experiment: str, overrides: tuple[str, ...]) -> list[str]:
    told = ["--config-dir", str(HERE / "conf"), f"+experiment={experiment}"]
    return ["-m", "lightning_hpo", *told, *overrides]


def _env(code: Path) -> dict[str, str]:
    return os.environ | {
        "PYTHONPATH": f"{HERE.parents[1]}{os.pathsep}{code}",
        "PYTHONUNBUFFERED": "1",
    }


def until(process: subprocess.Popen[str], pattern: str) -> str:
    """Read the output up to the first line that matches."""
    for line in process.stdout:
        if re.search(pattern, line):
            return line
    raise AssertionError(f"no line matched {pattern!r}; standard error: {process.stderr.read()}")


def interrupt(process: subprocess.Popen[str], signum: int = signal.SIGINT) -> tuple[int, str]:
    """Send the signal, wait for the end; exit status and standard error."""
    process.send_signal(signum)
    _, err = process.communicate(timeout=TIMEOUT_S)
    return process.returncode, err


def trials(study_dir: Path) -> list[optuna.trial.FrozenTrial]:
    """All trials of the study, as any other tool of Optuna's sees them."""
    (name,) = optuna.get_all_study_names(f"sqlite:///{study_dir}/study.db")
    return optuna.load_study(study_name=name, storage=f"sqlite:///{study_dir}/study.db").trials


def states(study_dir: Path) -> dict[TrialState, int]:
    """How many trials are in each state."""
    found = [trial.state for trial in trials(study_dir)]
    return {state: found.count(state) for state in set(found)}


def results(study_dir: Path) -> dict[str, Any]:
    return json.loads((study_dir / "results.json").read_text())
