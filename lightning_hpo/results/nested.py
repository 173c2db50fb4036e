"""A nested cross-validation as its outer folds' studies left it: each tested on its own fold."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypedDict

from lightning_hpo.protocol.averages import deviation, mean
from lightning_hpo.protocol.files import stored_object
from lightning_hpo.protocol.folder import StudyFolder


class OuterFold(TypedDict):
    """What became of an outer fold.

    ``trial`` and ``params``: that its search chose, None and empty without one; ``test``: of its
    refit, on the fold's samples.
    """

    fold: int
    trial: int | None
    params: Mapping[str, Any]
    test: Mapping[str, float]


def of_fold(study_dir: Path, fold: int, n_folds: int) -> OuterFold | None:
    """What the study of one outer fold found; None where it has not ended."""
    found = stored_object(StudyFolder(study_dir).outer(fold).results)
    if found is None or found.get("outer") != {"fold": fold, "n_folds": n_folds}:
        return None
    test, best = found.get("test"), found.get("best") or {}
    if not test:
        return None
    params = best.get("params", {})
    return OuterFold(fold=fold, trial=best.get("number"), params=params, test=test)


def summary(study_dir: Path, n_folds: int | None) -> dict[str, Any] | None:
    """The folds, and each test metric's mean and standard deviation; None until all have ended."""
    if n_folds is None:
        return None
    folds = [of_fold(study_dir, fold, n_folds) for fold in range(n_folds)]
    done = [fold for fold in folds if fold is not None]
    if len(done) < n_folds:
        return None
    found: dict[str, Any] = {"n_folds": n_folds, "folds": done}
    for name in done[0]["test"]:
        values = [fold["test"][name] for fold in done if name in fold["test"]]
        if len(values) == n_folds:
            found |= {f"{name}_mean": mean(values), f"{name}_std": deviation(values)}
    return found
