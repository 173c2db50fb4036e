"""Who races: the command of each, as a user would start it, and how one is run and watched."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.machinery import PathFinder
from pathlib import Path

import torch

from benchmarks.conditions import conditions
from benchmarks.race import marks
from benchmarks.race.outcome import Outcome, of_marks
from benchmarks.race.plan import SLOTS, Plan
from benchmarks.race.prepared import SEARCH

ROOT = Path(__file__).resolve().parents[2]
_LOG = "log.txt"


def ours(plan: Plan) -> list[str]:
    """The command line; the last two words only measure. A GPU has room for both slots."""
    told = [f"seed={plan.seed}", f"study.n_trials={plan.trials}", f"study.n_jobs={SLOTS}"]
    told += [f"data.train_limit={plan.train_limit}", "study.dir=study"]
    told += [f"study.gpus_per_trial={1 / SLOTS}"] if torch.cuda.is_available() else []
    told += ["+callbacks.marks._target_=benchmarks.race.marks_of_ours.MarksOfOurs"]
    told += ["hydra.sweeper.sampler._target_=benchmarks.race.timed.TimedTPESampler"]
    return ["lightning_hpo", *SEARCH, *told]


def optuna(plan: Plan) -> list[str]:
    return ["benchmarks.race.by_optuna"]


def informed(plan: Plan) -> list[str]:
    return ["benchmarks.race.by_optuna", "--configured"]


def ray(plan: Plan) -> list[str]:
    return ["benchmarks.race.by_ray"]


def hydra(plan: Plan) -> list[str]:
    sampler = [f"seed={plan.seed}", f"n_startup_trials={plan.startup_trials}"]
    told = [f"hydra.sweeper.sampler.{each}" for each in sampler]
    return [
        *("benchmarks.race.by_hydra", "--multirun", f"hydra.sweeper.n_trials={plan.trials}"),
        *told,
    ]


CONTENDERS: dict[str, Callable[[Plan], list[str]]] = {
    "ours": ours,
    "optuna": optuna,
    "informed": informed,
    "ray": ray,
    "hydra": hydra,
}
# As tables and the picture call them.
TITLES = {
    "ours": "lightning_hpo",
    "optuna": "Optuna, hand-written loop",
    "informed": "the same loop from the configured values",
    "ray": "Ray Tune, OptunaSearch and ASHA",
    "hydra": "stock Hydra sweeper, joblib",
}


def has_ray(site: str | None) -> bool:
    """Whether Ray can be imported, here or from the folder ``site``."""
    return PathFinder.find_spec("ray", [*([site] if site else []), *sys.path]) is not None


def run(contender: str, plan: Plan, *, ray_site: str | None, limit_s: float) -> Outcome:
    """Start the command in an empty folder, wait for its end, and read its marks."""
    with tempfile.TemporaryDirectory(prefix="race_", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        plan.write(folder)
        command = [sys.executable, "-m", *CONTENDERS[contender](plan)]
        environment = _environment(folder, ray_site if contender == "ray" else None)
        started, started_s = time.time(), time.monotonic()
        failed = _watched(command, folder, environment, limit_s)
        wall_s = time.monotonic() - started_s
        told = of_marks(marks.read(folder / "marks.jsonl"), started)
    if failed is None and not told["epochs"]:
        failed = "no trial was validated"
    key = (contender, plan.seed, plan.trials, plan.train_limit, conditions())
    return Outcome(*key, wall_s=wall_s, failed=failed, **told)


def _environment(folder: Path, site: str | None) -> dict[str, str]:
    paths = [str(ROOT), *([site] if site else []), os.environ.get("PYTHONPATH", "")]
    told = {"PYTHONPATH": os.pathsep.join(filter(None, paths)), marks.VARIABLE: str(folder)}
    return {**os.environ, **told}


def _watched(
    command: list[str], folder: Path, environment: dict[str, str], limit_s: float
) -> str | None:
    """None after a success, else the last line that the command said."""
    with (folder / _LOG).open("w") as log:
        # A session of its own, so that all it started ends with it.
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            status = process.wait(limit_s)
        except subprocess.TimeoutExpired:
            return f"not done after {limit_s:.0f} s"
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    if not status:
        return None
    lines = (folder / _LOG).read_text(errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), f"status {status}")
