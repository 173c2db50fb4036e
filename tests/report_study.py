"""A made-up study's folder, as a search and its final job leave it; shared by the report's tests.

Nothing is trained: trials are written with literal curves that decay towards a value which
depends on the parameters, so that importances, slices and the border of a range have a meaning.
"""

import json
import math
import random
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import optuna
from matplotlib.figure import Figure
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import FrozenTrial, TrialState, create_trial

SPACE: dict[str, BaseDistribution] = {
    "optimizer": CategoricalDistribution(["SGD", "RAdam", "Adam"]),
    "optimizer.lr": FloatDistribution(1e-4, 1e-1, log=True),
    "model.filters_1": IntDistribution(16, 64, step=2),
    "model.neurons_1": IntDistribution(32, 128, step=8),
    "model.dropout": FloatDistribution(0.0, 0.5),
}
MOMENTUM = FloatDistribution(0.85, 0.98)  # searched with SGD alone
EPOCHS = 10
START = datetime(2026, 3, 4, 9, 30)


def draw(rng: random.Random) -> dict[str, Any]:
    params = {
        "optimizer": rng.choice(["SGD", "RAdam", "Adam"]),
        "optimizer.lr": 10 ** rng.uniform(-4, -1),
        "model.filters_1": rng.randrange(16, 65, 2),
        "model.neurons_1": rng.randrange(32, 129, 8),
        "model.dropout": rng.uniform(0, 0.5),
    }
    if params["optimizer"] == "SGD":
        params["optimizer.momentum"] = rng.uniform(0.85, 0.98)
    return params


def limit(params: Mapping[str, Any]) -> float:
    """The loss that these parameters reach: best at lr = 2e-3, many filters, little dropout."""
    miss = (math.log10(params["optimizer.lr"]) + 2.7) ** 2
    return (
        0.25
        + 0.12 * miss
        + 0.15 * params["model.dropout"]
        + 0.001 * (64 - params["model.filters_1"])
    )


def some_trial(number: int, rng: random.Random, *, slots: int = 4) -> FrozenTrial:
    """A pruned, failed or completed trial, by its number: of ten, four pruned and one failed."""
    params = draw(rng)
    space = SPACE | ({"optimizer.momentum": MOMENTUM} if len(params) > len(SPACE) else {})
    curve = [limit(params) + 1.2 * math.exp(-0.6 * epoch) for epoch in range(EPOCHS)]
    curve = [value + rng.gauss(0, 0.006) for value in curve]
    state = TrialState.COMPLETE
    attributes: dict[str, Any] = {"slot": number % slots, "data.train_limit": "null"}
    if number % 10 == 9:
        state, curve = TrialState.FAIL, curve[: number % 3]
        attributes["failure"] = "the loss became NaN" if number % 20 == 9 else "out of memory"
    elif number > 4 and limit(params) > 0.42:
        state, curve = TrialState.PRUNED, curve[: rng.choice([1, 2, 3, 5])]
    trial = create_trial(
        state=state,
        params=params,
        distributions=space,
        value=min(curve) if state is TrialState.COMPLETE else None,
        intermediate_values=dict(enumerate(curve)),
        user_attrs=attributes,
    )
    trial.datetime_start = START + timedelta(seconds=3.2 * (number // slots) * EPOCHS + number % 3)
    trial.datetime_complete = trial.datetime_start + timedelta(seconds=3.0 * max(len(curve), 1))
    return trial


def write_trials(folder: Path, name: str, trials: list[FrozenTrial]) -> None:
    """Store the trials in the folder's ``study.db``."""
    study = optuna.create_study(
        study_name=name, storage=f"sqlite:///{folder / 'study.db'}", direction="minimize"
    )
    study.add_trials(trials)


def results_of(name: str, trials: list[FrozenTrial], *, final: bool) -> dict[str, Any]:
    """``results.json`` for these trials; ``final`` says whether the final job ran."""
    states = [trial.state for trial in trials]
    complete = [(t.value, n) for n, t in enumerate(trials) if t.state is TrialState.COMPLETE]
    value, number = min(complete) if complete else (None, None)
    folds = [
        {
            "fold": fold,
            "epochs": EPOCHS,
            "best_epoch": 8 - fold % 2,
            "val/loss": loss,
            "val/accuracy": accuracy,
        }
        for fold, (loss, accuracy) in enumerate(
            [(0.291, 0.899), (0.279, 0.905), (0.302, 0.894), (0.284, 0.907), (0.288, 0.901)]
        )
    ]
    cv = {
        "n_splits": 5,
        "folds": folds,
        "val/loss_mean": 0.2888,
        "val/loss_std": 0.0087,
        "val/accuracy_mean": 0.9012,
        "val/accuracy_std": 0.0050,
    }
    return {
        "study_name": name,
        "experiment": "cnn_dropout",
        "monitor": "val/loss",
        "direction": "minimize",
        "trials": {
            "complete": states.count(TrialState.COMPLETE),
            "pruned": states.count(TrialState.PRUNED),
            "failed": states.count(TrialState.FAIL),
            "total": len(trials),
        },
        "best": None
        if number is None
        else {"number": number, "value": value, "params": trials[number].params},
        "cv": cv if final else None,
        "test": {"test/loss": 0.3012, "test/accuracy": 0.8973} if final else None,
        "data": {"name": "fashion_mnist", "sha256": "5f3c" * 16},
        "seed": 0,
        "seconds": {"search": 812.4 if trials else 0.0, "final": 143.0 if final else None},
        "versions": {"python": "3.12.4", "torch": "2.15.0", "optuna": "5.0.0"},
        "command": "python -m lightning_hpo +experiment=cnn_dropout study.n_trials=100",
    }


def write_figures(folder: Path, names: list[str]) -> None:
    figures = folder / "final" / "figures"
    figures.mkdir(parents=True)
    for name in names:
        figure = Figure(figsize=(4, 3), layout="constrained")
        figure.add_subplot().imshow([[0, 1], [2, 3]])
        figure.savefig(figures / f"{name}.png", dpi=72)


def write_study(
    folder: Path, *, name: str = "cnn_dropout", n_trials: int = 100, final: bool = True
) -> Path:
    """A whole study folder; without trials it is a baseline, without ``final`` a bare search."""
    rng = random.Random(0)
    folder.mkdir(parents=True, exist_ok=True)
    trials = [some_trial(number, rng) for number in range(n_trials)]
    if trials:
        write_trials(folder, name, trials)
    if final:
        known = ["confusion_matrix", "learning_curves", "grad_cam", "filters_1", "filters_2"]
        write_figures(folder, [*known, "integrated_gradients"])
    write_results(folder, results_of(name, trials, final=final))
    return folder


REGRESSION_FIGURES = (
    "fit",
    "predicted_against_true",
    "residuals",
    "learning_curves",
    "learning_curves_holdout",
    "activations",
    "weight_histograms",
)


def regression_results(name: str) -> dict[str, Any]:
    """``results.json`` of a baseline on data of known noise, with a fit without early stopping."""
    results = results_of(name, [], final=True)
    losses = (0.24, 0.2, 0.28, 0.24)
    folds = [
        {"fold": fold, "epochs": 600, "best_epoch": 450, "val/loss": loss}
        for fold, loss in enumerate(losses)
    ]
    return results | {
        "experiment": "mlp_two_layers",
        "cv": {"n_splits": 4, "folds": folds, "val/loss_mean": 0.24, "val/loss_std": 0.0327},
        "test": {"test/loss": 0.55},
        "holdout": {
            "val_fraction": 0.1,
            "epochs": 2000,
            "best_epoch": 430,
            "val/loss": 0.25,
            "last": {"train/loss": 0.125, "val/loss": 0.5},
        },
        "data": {"name": "curve", "sha256": "5f3c" * 16, "noise_variance": 0.2},
    }


def write_regression_study(folder: Path) -> Path:
    """A baseline's folder on data of known noise, with every figure of a regression."""
    folder.mkdir(parents=True, exist_ok=True)
    write_figures(folder, list(REGRESSION_FIGURES))
    write_results(folder, regression_results(folder.name))
    return folder


def write_results(folder: Path, results: Mapping[str, Any]) -> None:
    (folder / "results.json").write_text(json.dumps(results), encoding="utf-8")
