"""What the parts of a final job contribute to ``results.json``, from what their fits found."""

from collections.abc import Mapping, Sequence
from typing import Any

from lightning_hpo.protocol.averages import deviation, mean
from lightning_hpo.protocol.stages import of_stage, recorded_stages, without_forks


def test_results(refits: list[dict[str, Any]]) -> dict[str, Any]:
    """``test``: each metric's mean over the refits, and ``test_std``: its standard deviation.

    ``no_test``: why the refits were not tested.
    """
    tests = [refit["test"] for refit in refits if refit["test"]]
    reasons = [refit["no_test"] for refit in refits if refit.get("no_test")]
    reason = reasons[0] if reasons and not tests else None
    if len(tests) < 2:
        return {"test": tests[0] if tests else None, "test_std": None, "no_test": reason}
    values = {name: [test[name] for test in tests if name in test] for name in tests[0]}
    return {
        "test": {name: mean(found) for name, found in values.items()},
        "test_std": {n: deviation(found) for n, found in values.items() if len(found) > 1},
        "no_test": reason,
    }


def cross_validation(folds: list[dict[str, Any]], monitor: str) -> dict[str, Any]:
    """What the folds' validations logged, the monitor always, with mean and standard deviation."""
    folds = sorted(folds, key=lambda fold: fold["fold"])
    names = _validated(folds, monitor)
    summary: dict[str, Any] = {
        "n_splits": len(folds),
        "at_last_epoch": any(fold.get("at_last_epoch") for fold in folds),
        "folds": [
            {k: fold[k] for k in ("fold", "epochs", "best_epoch")}
            | {name: fold["metrics"][name] for name in names}
            for fold in folds
        ],
    }
    for name in names:
        values = [fold["metrics"][name] for fold in folds]
        summary[f"{name}_mean"] = mean(values)
        summary[f"{name}_std"] = deviation(values)
    return summary


def _validated(fits: Sequence[Mapping[str, Any]], monitor: str) -> list[str]:
    """The metrics that every one of these fits has from its validation."""
    names = of_stage({**recorded_stages(fits[0]), monitor: "val"}, "val", keep=monitor)
    return [name for name in names if all(name in fit["metrics"] for fit in fits)]


def holdout(found: dict[str, Any], monitor: str) -> dict[str, Any]:
    """Of the fit without early stopping: metrics at its best epoch and, as ``last``, at its end."""
    at_best = {name: found["metrics"][name] for name in _validated([found], monitor)}
    logged = without_forks(recorded_stages(found), keep=monitor)
    at_end = {n: found["last"][n] for n in sorted(logged) if n in found["last"]}
    kept = {key: found[key] for key in ("val_fraction", "epochs", "best_epoch")}
    return {**kept, **at_best, "last": at_end}
