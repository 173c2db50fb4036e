"""Kills one process of a running command at a chosen moment of its start, search or final job."""

import random
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psutil
from program import TIMEOUT_S, Program, is_alive

Stage = Literal["start", "search", "final"]
Role = Literal["controller", "worker"]


@dataclass(frozen=True)
class Moment:
    """``delay_s`` after the stage began for the one that is killed.

    It begins when a worker appears, or when the controller writes the stage's first file.
    ``start``: of the processes themselves, before any job.
    """

    stage: Stage
    role: Role
    delay_s: float

    @classmethod
    def at_random(cls, rng: random.Random) -> "Moment":
        stage: Stage = rng.choice(("start", "start", "search", "search", "final"))
        role: Role = rng.choice(("controller", "worker"))
        return cls(stage, role, rng.uniform(0.0, 0.1))

    def __str__(self) -> str:
        return f"{self.role}, {1000 * self.delay_s:.0f} ms into the {self.stage}"


# Ten, from 0 to 100 ms.
DELAYS_S = tuple(k / 90 for k in range(10))


def kill_at(
    program: Program, process: subprocess.Popen[str], moment: Moment, rng: random.Random
) -> bool:
    """Kill one process at ``moment``; whether it came before the command had ended."""
    began = _signs(program, moment)
    if not _until(lambda: began(process), process):
        return False
    time.sleep(moment.delay_s)
    if process.poll() is not None:
        return False
    if moment.role == "controller":
        process.kill()
        return True
    workers = _living(program, process)
    if workers:
        rng.choice(workers).kill()
    return bool(workers)


def _signs(program: Program, moment: Moment) -> Callable[[subprocess.Popen[str]], bool]:
    """Tells whether the stage has begun."""
    if moment.stage == "start":
        if moment.role == "worker":
            return lambda process: bool(_living(program, process))
        return lambda process: True
    place = program.study_dir / ("trials" if moment.stage == "search" else "final")
    before = _files(place)
    return lambda process: bool(_files(place) - before)


def _files(place: Path) -> set[Path]:
    return set(place.glob("*/*"))


def _living(program: Program, process: subprocess.Popen[str]) -> list[psutil.Process]:
    try:
        return [worker for worker in program.workers(process) if is_alive(worker)]
    except psutil.NoSuchProcess:
        return []


def _until(condition: Callable[[], bool], process: subprocess.Popen[str]) -> bool:
    """Wait for the condition while the process runs."""
    deadline = time.monotonic() + TIMEOUT_S
    while process.poll() is None and time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.001)
    return False


def end(process: subprocess.Popen[str], workers: Sequence[psutil.Process]) -> None:
    """Kill the controller, and wait until its workers have ended with it."""
    process.kill()
    process.communicate(timeout=TIMEOUT_S)
    _, left = psutil.wait_procs(workers, timeout=TIMEOUT_S)
    assert left == [], "workers end with their controller"
