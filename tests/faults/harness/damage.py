"""Damages one file of a study, in one of the ways in which files are damaged."""

import random
import shutil
from collections.abc import Callable
from pathlib import Path


def _truncated(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _noise(path: Path) -> None:
    path.write_bytes(random.Random(0).randbytes(max(64, path.stat().st_size)))


def _another_type(path: Path) -> None:
    path.unlink()
    path.mkdir()


WAYS: dict[str, Callable[[Path], None]] = {
    "truncated": _truncated,
    "empty": _empty,
    "noise": _noise,
    "another_type": _another_type,
    "removed": Path.unlink,
}

# Of each kind of file in a study one, by what it is.
KINDS = {
    "database": "study.db",
    "results": "results.json",
    "plugin_results": "optimization_results.yaml",
    "report": "report.html",
    "lock": "owners/study.lock",
    "trial_config": "trials/0/config.yaml",
    "trial_told": "trials/0/.hydra/config.yaml",
    "trial_provenance": "trials/0/provenance.yaml",
    "trial_log": "trials/0/trial.log",
    "final_identity": "final/overrides.json",
    "final_trial": "final/trial.json",
    "checkpoint": "final/model.ckpt",
    "figure": "final/figures/fit.png",
    "fold_result": "final/fold_0/result.json",
    "fold_indices": "final/fold_0/fold_indices.npz",
    "fold_metrics": "final/fold_0/metrics.csv",
    "refit_result": "final/refit/result.json",
    "refit_metrics": "final/refit/metrics.csv",
    "refit_config": "final/refit/config.yaml",
}


def damaged_copy(study_dir: Path, to: Path, kind: str, way: str) -> Path:
    """A copy of the study in ``to``, where the file of this kind is damaged."""
    shutil.copytree(study_dir, to)
    path = to / KINDS[kind]
    if not path.exists():
        # Another program may have put it there.
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("a: 1\n")
    WAYS[way](path)
    return to
