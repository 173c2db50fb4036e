"""What all contenders are told: the search that is raced, as a file in the folder of a run."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.race import marks

SLOTS = 2
_FILE = "plan.json"


@dataclass(frozen=True)
class Plan:
    """One search. ``data``: a folder that torchvision reads, ``split``: a file of ``save_split``.

    ``weights_seeds``: by which each trial draws its weights, as ours does; some more than there
    are trials, for a failed one may be made up for by another.
    ``warmup_epochs``: epochs of a trial that the median pruner does not judge. ``configured``: the
    point with which ours begins, by the names of ``suggested``.
    """

    seed: int
    trials: int
    train_limit: int
    startup_trials: int
    epochs: int
    batch_size: int
    eval_batch_size: int
    pruner_startup_trials: int
    warmup_epochs: int
    weights_seeds: list[int]
    configured: dict[str, Any]
    data: str
    split: str

    def write(self, folder: Path) -> None:
        (folder / _FILE).write_text(json.dumps(asdict(self)))


def the_plan() -> Plan:
    """That of the run for which this process works."""
    return Plan(**json.loads((marks.folder() / _FILE).read_text()))


def suggested(trial: Any) -> dict[str, Any]:
    """The space of ``+experiment=cnn_dropout``, as one defines it for Optuna."""
    params = {
        "optimizer": trial.suggest_categorical("optimizer", ["sgd", "radam", "adam"]),
        "lr": trial.suggest_float("lr", 1e-4, 1e-1, log=True),
        "filters_1": trial.suggest_int("filters_1", 16, 64, step=2),
        "filters_2": trial.suggest_int("filters_2", 16, 64, step=2),
        "neurons_1": trial.suggest_int("neurons_1", 32, 128, step=8),
        "neurons_2": trial.suggest_int("neurons_2", 32, 128, step=8),
        "dropout": trial.suggest_float("dropout", 0.0, 0.5),
    }
    if params["optimizer"] == "sgd":
        params["momentum"] = trial.suggest_float("momentum", 0.85, 0.98)
    return params


def sampler_settings(plan: Plan) -> dict[str, Any]:
    """Of TPE, the same for all: those of ours."""
    together = {"multivariate": True, "group": True, "constant_liar": True}
    return {"n_startup_trials": plan.startup_trials, "n_ei_candidates": 24, **together}
