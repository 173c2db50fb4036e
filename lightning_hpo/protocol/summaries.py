"""What a final job's parts give ``results.json``, from what their fits found, and words for it."""

from collections.abc import Mapping, Sequence
from typing import Any

from lightning_hpo.protocol.averages import deviation, mean
from lightning_hpo.protocol.judging import judged
from lightning_hpo.protocol.stages import of_stage, recorded_stages, without_forks


def test_results(refits: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
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


def refit_results(refits: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """``refits``: one entry for each, but for what is told once, of the first one's network."""
    once = ("calibration", "data_description")
    first = refits[0] if refits else {}
    return {
        "refits": [{k: v for k, v in of.items() if k not in once} for of in refits],
        **{key: first.get(key) for key in once},
    }


def cross_validation(folds: Sequence[Mapping[str, Any]], monitor: str) -> dict[str, Any]:
    """What the folds' validations logged, the monitor always, with mean and standard deviation.

    Each fold's values are those of the ``epoch`` at which it is judged, by the rule ``judged_at``;
    ``best_epoch`` is its own best, and ``epochs`` how many it trained.
    """
    folds = sorted(folds, key=lambda fold: fold["fold"])
    found = judged(folds, monitor)
    names = _validated(folds[0], found.metrics, monitor)
    summary: dict[str, Any] = {
        "n_splits": len(folds),
        "repeats": folds[0].get("repeats", 1),
        "judged_at": found.rule,
        "folds": [
            {"fold": fold["fold"], "epoch": epoch}
            | {k: fold[k] for k in ("epochs", "best_epoch")}
            | {name: metrics[name] for name in names}
            for fold, epoch, metrics in zip(folds, found.epochs, found.metrics, strict=True)
        ],
    }
    for name in names:
        values = [metrics[name] for metrics in found.metrics]
        summary[f"{name}_mean"] = mean(values)
        summary[f"{name}_std"] = deviation(values)
    return summary


def _validated(
    fit: Mapping[str, Any], metrics: Sequence[Mapping[str, float]], monitor: str
) -> list[str]:
    """Those of ``metrics``, of one fit each, that every one has, and of ``fit`` a validation."""
    names = of_stage({**recorded_stages(fit), monitor: "val"}, "val", keep=monitor)
    return [name for name in names if all(name in of_fit for of_fit in metrics)]


def holdout(found: Mapping[str, Any], monitor: str) -> dict[str, Any]:
    """Of the fit without early stopping: metrics at its best epoch and, as ``last``, at its end."""
    at_best = {n: found["metrics"][n] for n in _validated(found, [found["metrics"]], monitor)}
    logged = without_forks(recorded_stages(found), keep=monitor)
    at_end = {n: found["last"][n] for n in sorted(logged) if n in found["last"]}
    # Older studies do not say by which split.
    said = ("val_fraction", "new_split", "epochs", "best_epoch")
    kept = {key: found[key] for key in said if key in found}
    return {**kept, **at_best, "last": at_end}


def cross_validation_words(found: Mapping[str, Any]) -> list[str]:
    """Means and standard deviations over the folds, from ``results.json``."""
    cv = found["cv"]
    if not cv:
        return []
    means = [n.removesuffix("_mean") for n in cv if n.endswith("_mean")]
    values = ", ".join(f"{n} {cv[n + '_mean']:.4f} ± {cv[n + '_std']:.4f}" for n in means)
    return [f"{cross_validation_title(cv)}: {values}"]


def cross_validation_title(cv: Mapping[str, Any]) -> str:
    """What a cross-validation is called, by its entry in ``results.json``."""
    n_folds, repeats = cv["n_splits"], cv.get("repeats", 1)
    if repeats == 1:
        return f"{n_folds}-fold cross-validation"
    return f"cross-validation, {n_folds} folds in {repeats} repeats"


def holdout_words(found: Mapping[str, Any]) -> list[str]:
    """What the fit without early stopping reached at its end."""
    if not found["holdout"]:
        return []
    values = ", ".join(f"{name} {value:.4f}" for name, value in found["holdout"]["last"].items())
    return [f"without early stopping, {found['holdout']['epochs']} epochs: {values}"]


def refit_words(found: Mapping[str, Any]) -> list[str]:
    """The test, and what was different from what one expects of a refit and of its figures."""
    lines, refits = [], found["refits"]
    if found["test"]:
        lines += [_test_line(found), *_trivial_lines(found)]
    elif found["no_test"]:
        lines.append(f"no test: {found['no_test']}")
    if (calibration := found.get("calibration")) and calibration["temperature"] is not None:
        lines.append(_calibration_line(calibration))
    if refits and refits[0].get("val_fraction"):
        kept = f"{refits[0]['val_fraction']:.0%} of the training data"
        lines.append(f"the refit kept {kept} to validate on")
    left_out = {name for refit in refits for name in refit.get("left_out") or {}}
    if left_out:
        lines.append(f"figures left out, see the report: {', '.join(sorted(left_out))}")
    return lines


def _trivial_lines(found: Mapping[str, Any]) -> list[str]:
    """What a model gets on the test set that looks at no input."""
    told = (found.get("trivial") or {}).get("test")
    if not told:
        return []
    if told["kind"] == "classes":
        always = f"always saying {told['says']} gets {told['share']:.2f}"
        return [f"    {always}; balanced accuracy {told['balanced_accuracy']:.2f}"]
    r2 = "" if told["r2"] is None else f"R² {told['r2']:.2f}; "
    metric = told["metric"] or "squared error"
    return [f"    {r2}always saying the mean has {metric} {told['error_of_mean']:.4g}"]


def _calibration_line(found: Mapping[str, Any]) -> str:
    where = "test" if "test" in found["ece"] else "held_out"
    errors = found["ece"][where]
    return (
        f"calibration: temperature {found['temperature']:.4g}; expected error on the"
        f" {where.replace('_', '-')} samples {errors['before']:.4f}, with it {errors['after']:.4f}"
    )


def _test_line(found: Mapping[str, Any]) -> str:
    spread = found["test_std"]
    if spread is None:
        values = ", ".join(f"{name} {value:.4f}" for name, value in found["test"].items())
        return f"test, opened once: {values}"
    values = ", ".join(f"{n} {v:.4f} ± {spread[n]:.4f}" for n, v in found["test"].items())
    return f"test, opened once by each of {len(found['refits'])} networks: {values}"


def ensemble(found: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """The mean of the refits' outputs as one network: how many they are, and its test.

    ``no_test``, ``no_model``: why it has none of these.
    """
    keys = ("n", "test", "no_test", "no_model")
    return {key: found[0].get(key) for key in keys} if found else None


def ensemble_words(found: Mapping[str, Any]) -> list[str]:
    """Its test, beside that of the single networks, or why there is none."""
    told = found.get("ensemble")
    if not told:
        return []
    who, lines = f"ensemble of the {told['n']} networks", []
    if told["test"]:
        values = ", ".join(f"{name} {value:.4f}" for name, value in told["test"].items())
        lines.append(f"{who}, on the same test samples: {values}")
    elif told["no_test"] and found["test"]:
        lines.append(f"{who} without a test result: {told['no_test']}")
    if told["no_model"]:
        lines.append(f"{who} without a model: {told['no_model']}")
    return lines
