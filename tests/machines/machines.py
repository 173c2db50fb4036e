"""Several "machines" on one host: controllers that share a storage and nothing else."""

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import optuna
import psutil
import warm
from optuna.storages import BaseStorage, GrpcStorageProxy, RDBStorage
from optuna.trial import FrozenTrial, TrialState

HERE = Path(__file__).parent
TIMEOUT_S = 90


@dataclass(frozen=True)
class Machine:
    """A controller with a working folder of its own."""

    name: str
    folder: Path
    process: subprocess.Popen[str]

    @property
    def study_dir(self) -> Path:
        return self.folder / "studies" / "shared"

    def end(self) -> tuple[int, str, str]:
        """Exit status, standard output and standard error."""
        out, err = self.process.communicate(timeout=TIMEOUT_S)
        return self.process.returncode, out, err

    def numbers(self) -> list[int]:
        """The trials that ran here, each as often as a job wrote into its folder."""
        return [int(job.parent.name) for job in self.study_dir.glob("trials/*/*.job")]

    def waits(self) -> bool:
        """Whether a trial of this machine is inside its ``wait``."""
        return any(self.study_dir.glob("trials/*/waiting"))


class Machines:
    """Starts machines below ``root``; ``close`` leaves no process of theirs behind."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._started: list[subprocess.Popen[str]] = []

    def start(self, name: str, *overrides: str, cold: bool = False) -> Machine:
        """``cold``: its processes are children of each other, with command lines of their own."""
        folder = self._root / name
        folder.mkdir(exist_ok=True)
        env = os.environ | {"PYTHONPATH": str(HERE.parents[1]), "OMP_NUM_THREADS": "1"}
        env["MACHINE"] = name
        words = ["--config-dir", str(HERE / "conf"), "+experiment=shared", *overrides]
        process = warm.popen(
            [str(HERE / "machine_app.py"), *words],
            cold=cold,
            cwd=folder,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self._started.append(process)
        return Machine(name, folder, process)

    def close(self) -> None:
        for process in self._started:
            if process.poll() is None:
                for child in psutil.Process(process.pid).children(recursive=True):
                    child.kill()
                process.kill()
            process.communicate()


def trials(storage: BaseStorage) -> list[FrozenTrial]:
    """All trials, as any other tool of Optuna's sees them; closes the storage."""
    try:
        return optuna.load_study(study_name="shared", storage=storage).trials
    finally:
        if isinstance(storage, RDBStorage):
            storage.engine.dispose()
        if isinstance(storage, GrpcStorageProxy):
            storage.close()


def states(found: Sequence[FrozenTrial]) -> dict[TrialState, int]:
    listed = [trial.state for trial in found]
    return {state: listed.count(state) for state in set(listed)}
