"""Single jobs in real slots, and waiting for what they leave behind."""

import time
from collections.abc import Iterable
from pathlib import Path

import psutil

from lightning_hpo.launchers.job import Job
from lightning_hpo.launchers.workers import Workers

HERE = Path(__file__).parent
CONFIG = """
do: number
x: 0.5
folder: '{folder}'
# More than a pipe holds.
ballast: {ballast}
hydra:
  sweep: {{dir: '{folder}', subdir: 'job_${{hydra.job.num}}'}}
"""


def run(workers: Workers, *overrides: str, timeout_s: float | None = None):
    """The end of a single job."""
    workers.submit(Job(0, overrides, timeout_s=timeout_s))
    ((_, end),) = workers.wait(60)
    return end


def assert_all_end(pids: Iterable[int]) -> None:
    """Those that a slot has left behind are waited for by another process, or by nobody."""
    deadline = time.monotonic() + 10
    for pid in pids:
        while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
            assert time.monotonic() < deadline, f"process {pid} still runs"
            time.sleep(0.01)
