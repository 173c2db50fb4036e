"""Folders of finished studies with literal results, for those who compare them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_hpo.protocol.folder import StudyFolder
from lightning_hpo.protocol.samples import Samples

SMALL = [0.90, 0.91, 0.92]
T_2 = 4.302652729911275  # 97.5 % of Student's t with 2 degrees of freedom


def study(
    root: Path,
    name: str,
    folds: list[float],
    *,
    seed: int = 0,
    test: float | None = 0.9,
    **more: Any,
) -> Path:
    """A folder as a study leaves it, as far as comparisons look at it."""
    folder = root / name
    folder.mkdir()
    results = {
        "study_name": name,
        "monitor": "val/loss",
        "direction": "minimize",
        "trials": {"total": 10},
        "best": None,
        "cv": {"folds": [{"fold": k, "val/accuracy": v} for k, v in enumerate(folds)]},
        "test": None if test is None else {"test/accuracy": test},
        "data": {"name": "digits", "sha256": "abc"},
        "seed": seed,
        "seconds": {"search": 100.0, "final": 20.0},
        "command": f"python -m lightning_hpo +experiment=x study.name={name} seed={seed}",
    } | more
    for k in range(len(folds)):
        (folder / f"final/fold_{k}").mkdir(parents=True)
        np.savez(folder / f"final/fold_{k}/fold_indices.npz", val=np.arange(k + seed, k + seed + 5))
    (folder / "results.json").write_text(json.dumps(results))
    return folder


def refits(seeds: list[int], accuracies: list[float]) -> dict[str, Any]:
    """What the final job leaves of several networks."""
    found = [
        {"seed": seed, "epochs": 3, "test": {"test/accuracy": accuracy}, "seconds": 1.0}
        for seed, accuracy in zip(seeds, accuracies, strict=True)
    ]
    return {"refits": found, "test": sum(accuracies) / len(accuracies)}


def keep_samples(
    folder: Path, outputs: list[NDArray[Any]], target: NDArray[Any], metric: str
) -> Path:
    """Give a study's folder refits that left their ``outputs`` on the test samples.

    ``metric``: under this name the share of right answers is logged, or the mean squared error.
    """
    final, tests = StudyFolder(folder).final, []
    for number, output in enumerate(outputs):
        job = final.job(f"refit_{number}" if number else "refit")
        job.path.mkdir(parents=True)
        job.result.write_text("{}")
        found = Samples.of(np.arange(len(target)), output, target)
        found.write(job.samples)
        right = float((output.argmax(1) == target).mean()) if output.ndim > 1 else None
        tests.append({metric: float(found.loss.mean()) if right is None else right})
    results = json.loads((folder / "results.json").read_text())
    results["refits"] = [
        {"seed": seed, "epochs": 3, "test": test, "seconds": 1.0} for seed, test in enumerate(tests)
    ]
    results["test"] = {metric: sum(test[metric] for test in tests) / len(tests)}
    (folder / "results.json").write_text(json.dumps(results))
    return folder
