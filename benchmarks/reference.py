"""The reference study's parts beside what it published, from the results of finished studies.

    python -m benchmarks.reference regression [--studies studies]
    python -m benchmarks.reference classification

Prints a Markdown table; a study that has not been run has an empty row. ``make regression`` and
``make classification`` run the studies first. A classification row is the mean over the networks
that the final job tested (``study.n_refits=3``), with the 95 % interval of Student's t over them,
which is of all seeds on these test images, not on others.
"""

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from omegaconf import OmegaConf

from lightning_hpo.results.statistics import interval

N_IMAGES = 60_000  # Fashion-MNIST's training images


@dataclass(frozen=True)
class Published:
    """What the reference study's report prints of one of its regression studies."""

    study: str
    error: str


REGRESSION = {
    "mlp_two_layers": Published("1: two layers, early stopping", "0.2516"),
    "mlp_two_layers_no_stopping": Published("2: two layers, no stopping", "0.252"),
    "mlp_one_layer": Published("3: one layer, early stopping", "0.3704"),
    "mlp_one_layer_no_stopping": Published("4: one layer, no stopping", "0.28"),
    "mlp_depth": Published("5: one or two layers", ""),
    "mlp_xavier": Published("6: study 1's optimum with Xavier's weights", '"not good"'),
}
# Step, published test accuracy, published 5-fold accuracy; empty where the report prints none.
CLASSIFICATION = {
    "fc_baseline": ("fully connected, by hand", "0.854", ""),
    "fc_best": ("fully connected, with good practice, searched", "", ""),
    "cnn_baseline": ("CNN by hand", "0.898", ""),
    "cnn_dropout": ("CNN, search with dropout", "0.906", "0.907"),
    "cnn_l2": ("CNN, search with weight decay", "0.908", ""),
    "cnn_augmented": ("CNN on 8,000 augmented images", "0.913", ""),
    "cnn_augmented_all": ("the same, all images, changed in each epoch", "", ""),
    "cnn_best": ("CNN, with good practice, searched", "", ""),
    "cnn_distilled": ("CNN with wide filters, taught by a residual network, searched", "", ""),
    "teacher": ("its teacher, a residual network of 18 layers", "", ""),
}
# What is added to a study's name by its budget, the largest first, and the budget's name.
BUDGETS = {"": "full", "_standard": "standard", "_quick": "quick"}
CLASSIFICATION_COLUMNS = (
    "step",
    "experiment, budget",
    "published test accuracy",
    "ours, 95 % interval",
    "networks",
    "their ensemble",
    "parameters",
    "mirror images averaged",
    "epochs, images",
    "published 5-fold accuracy",
    "ours, standard deviation over folds",
    "search, final job",
)
REGRESSION_COLUMNS = (
    "study",
    "chosen by search and race",
    "published k-fold error",
    "the search's best",
    "folds of the chosen, at the others' epoch",
    "noise variance",
    "test error",
    "search, final job",
    "complete, pruned, failed",
)


def regression(studies: Path) -> list[list[str]]:
    """One row of :data:`REGRESSION_COLUMNS` for each study."""
    return [_regression_row(studies / name, published) for name, published in REGRESSION.items()]


def _regression_row(folder: Path, published: Published) -> list[str]:
    path = folder / "results.json"
    if not path.is_file():
        return [published.study, "", published.error, *[""] * (len(REGRESSION_COLUMNS) - 3)]
    found = json.loads(path.read_text())
    best, cv, test, trials = (found[key] for key in ("best", "cv", "test", "trials"))
    seconds = found["seconds"]
    return [
        published.study,
        _optimum(_chosen(found)) if best else "as published",
        published.error,
        f"{best['value']:.3f}" if best else "",
        f"{cv['val/loss_mean']:.3f} ± {cv['val/loss_std']:.3f}" if cv else "",
        f"{found['data'].get('noise_variance') or float('nan'):.2f}",
        f"{test['test/loss']:.3f}" if test else "",
        f"{seconds.get('search', 0):.0f} s, {seconds.get('final', 0):.0f} s",
        f"{trials['complete']}, {trials['pruned']}, {trials['failed']}" if best else "",
    ]


def _chosen(found: dict[str, Any]) -> dict[str, Any]:
    """The parameters that the final job has: of the race's winner, else of the best trial."""
    race = found.get("race")
    if race is None:
        return dict(found["best"]["params"])
    return next(dict(c["params"]) for c in race["candidates"] if c["number"] == race["winner"])


def classification(studies: Path) -> list[list[str]]:
    """One row of :data:`CLASSIFICATION_COLUMNS` for each step: the largest budget that was run."""
    return [_classification_row(studies, name) for name in CLASSIFICATION]


def _classification_row(studies: Path, name: str) -> list[str]:
    step, published_test, published_cv = CLASSIFICATION[name]
    done = [tag for tag in BUDGETS if (studies / f"{name}{tag}" / "results.json").is_file()]
    if not done:
        return [step, f"`{name}`", published_test, *[""] * 6, published_cv, "", ""]
    folder = studies / f"{name}{done[0]}"
    found = json.loads((folder / "results.json").read_text())
    tests = [refit["test"]["test/accuracy"] for refit in found["refits"]]
    seconds = found["seconds"]
    return [
        step,
        f"`{name}`, {BUDGETS[done[0]]}",
        published_test,
        _with_interval(tests),
        str(len(tests) or ""),
        _of_ensemble(found),
        *_network(folder, found),
        published_cv,
        _spread([fold["val/accuracy"] for fold in found["cv"]["folds"]] if found["cv"] else []),
        f"{seconds['search'] / 60:.0f} min, {seconds['final'] / 60:.0f} min",
    ]


def _of_ensemble(found: dict[str, Any]) -> str:
    """The accuracy of the mean output of all networks."""
    test = (found.get("ensemble") or {}).get("test") or {}
    return f"{test['test/accuracy']:.4f}" if "test/accuracy" in test else ""


def _network(folder: Path, found: dict[str, Any]) -> list[str]:
    """Parameters, mirror images, and the epochs and images of the networks that were tested."""
    if not found["refits"]:
        return ["", "", ""]
    config = OmegaConf.load(folder / "final" / "refit" / "config.yaml")
    images = config.data.train_limit or N_IMAGES
    size = found["refits"][0].get("n_parameters")
    return [
        "" if size is None else f"{size:,}",
        "yes" if OmegaConf.select(config, "model.test_time_flip") else "no",
        f"{found['refits'][0]['epochs']}, {images:,}",
    ]


def _with_interval(values: list[float]) -> str:
    if len(values) < 2:
        return "".join(f"{value:.4f}" for value in values)
    low, high = interval(values, overlap=0)
    return f"{fmean(values):.4f} ({low:.4f} to {high:.4f})"


def _spread(values: list[float]) -> str:
    if len(values) < 2:
        return "".join(f"{value:.4f}" for value in values)
    return f"{fmean(values):.4f} ± {stdev(values):.4f}"


def _optimum(params: dict[str, Any]) -> str:
    widths = [str(value) for name, value in sorted(params.items()) if ".neurons." in name]
    words = [
        str(params.get("optimizer", "")),
        f"lr {params['optimizer.lr']:.3g}",
        f"{'-'.join(widths)} neurons",
        f"dropout {params['model.dropout']:.3f}",
    ]
    if "optimizer.momentum" in params:
        words.insert(2, f"momentum {params['optimizer.momentum']:.2f}")
    return ", ".join(words)


def main() -> None:
    """Print the table of one part."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=["regression", "classification"])
    parser.add_argument("--studies", type=Path, default=Path("studies"))
    told = parser.parse_args()
    columns, rows = {
        "regression": (REGRESSION_COLUMNS, regression),
        "classification": (CLASSIFICATION_COLUMNS, classification),
    }[told.part]
    lines = [columns, ["---"] * len(columns), *rows(told.studies)]
    print("\n".join(f"| {' | '.join(line)} |" for line in lines))


if __name__ == "__main__":
    main()
