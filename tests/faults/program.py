"""Starts the faulty application in processes of its own, and reads what its study left behind."""

import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import optuna
import psutil
import warm
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState

HERE = Path(__file__).parent
# Processes start slowly where many run at a time.
TIMEOUT_S = 180


ENV = os.environ | {
    "PYTHONPATH": str(HERE.parents[1]),
    "PYTHONUNBUFFERED": "1",
    "OMP_NUM_THREADS": "1",
}


class Program:
    """``python faulty_app.py`` in ``folder``; ``end`` leaves no process of it behind."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.study_dir = folder / "studies" / "faulty"
        self.started: list[psutil.Process] = []

    def start(
        self,
        *overrides: str,
        new_group: bool = False,
        experiment: str = "faulty",
        under: Sequence[str] = (),
    ) -> subprocess.Popen[str]:
        """The controller; ``new_group``: as a shell does, so that all of it can be interrupted.

        ``under``: a command that starts it.
        """
        words = ["--config-dir", str(HERE / "conf"), f"+experiment={experiment}", *overrides]
        process = subprocess.Popen(
            [*under, sys.executable, str(HERE / "faulty_app.py"), *words],
            cwd=self.folder,
            env=ENV,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            process_group=0 if new_group else None,
        )
        self.started.append(psutil.Process(process.pid))
        return process

    def run_warm(self, *overrides: str) -> tuple[int, str, str]:
        """As :meth:`run`, where no process is looked at."""
        words = ["--config-dir", str(HERE / "conf"), "+experiment=faulty", *overrides]
        app = str(HERE / "faulty_app.py")
        done = warm.run([app, *words], cwd=self.folder, env=ENV, timeout=TIMEOUT_S)
        return done.returncode, done.stdout, done.stderr

    def run(self, *overrides: str, experiment: str = "faulty") -> tuple[int, str, str]:
        """Exit status, standard output and standard error."""
        process = self.start(*overrides, experiment=experiment)
        out, err = process.communicate(timeout=TIMEOUT_S)
        return process.returncode, out, err

    def workers(self, process: subprocess.Popen[str]) -> list[psutil.Process]:
        """The worker processes of a running controller."""
        children = psutil.Process(process.pid).children()
        found = [child for child in children if _is_worker(child)]
        self.started += found
        return found

    def end(self) -> None:
        """Kill whatever a failed test has left running."""
        for process in self.started:
            if is_alive(process):
                for child in process.children(recursive=True):
                    child.kill()
                process.kill()

    def waiting(self, number: int) -> Path:
        """The file that says that trial ``number`` waits; it holds its worker's process id."""
        return self.study_dir / "trials" / str(number) / "waiting"

    def trials(self) -> list[FrozenTrial]:
        """All trials, as any other tool of Optuna's sees them."""
        storage = RDBStorage(f"sqlite:///{self.study_dir}/study.db")
        try:
            return optuna.load_study(study_name="faulty", storage=storage).trials
        finally:
            storage.engine.dispose()

    def folders(self) -> dict[int, int]:
        """How many jobs have written into each trial's folder."""
        folders = (self.study_dir / "trials").iterdir()
        return {int(folder.name): len(list(folder.glob("*.job"))) for folder in folders}


def _is_worker(process: psutil.Process) -> bool:
    try:
        return "spawn_main" in " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        # It has ended, or is about to be noticed as ended.
        return False


def is_alive(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def in_state(trials: Iterable[FrozenTrial], state: TrialState) -> list[FrozenTrial]:
    return [trial for trial in trials if trial.state is state]


def counted(trials: Iterable[FrozenTrial]) -> list[FrozenTrial]:
    """Those that make up the study's total: one that was tried again counts in its successor."""
    return [t for t in trials if not t.user_attrs.get("retried")]
