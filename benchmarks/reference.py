"""The reference study's parts beside what it published, from the results of finished studies.

    python -m benchmarks.reference regression [--studies studies]
    python -m benchmarks.reference classification

Prints a Markdown table; a study that has not been run has an empty row. `make regression` and
`make classification` run the studies first. A classification row is a mean over the seeds that were
run (`study.tag=_seed1 seed=1`), with its standard deviation.
"""

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import Any


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
# Test accuracy, 5-fold accuracy: as the report prints them, empty where it prints none.
CLASSIFICATION = {
    "fc_baseline": ("fully connected, 10 epochs", "0.854", ""),
    "fc_best": ("fully connected, searched", "", ""),
    "cnn_baseline": ("CNN by hand, 10 epochs", "0.898", ""),
    "cnn_dropout": ("CNN, search with dropout", "0.906", "0.907"),
    "cnn_l2": ("CNN, search with weight decay, 50 epochs", "0.908", ""),
    "cnn_augmented": ("CNN on augmented data, 21 epochs", "0.913", ""),
    "cnn_best": ("CNN, with good practice, searched", "", ""),
}
CLASSIFICATION_COLUMNS = (
    "step",
    "published test accuracy",
    "ours",
    "seeds",
    "published 5-fold accuracy",
    "ours",
    "search, final job",
)
REGRESSION_COLUMNS = (
    "study",
    "optimum",
    "published k-fold error",
    "best trial's",
    "its parameters again, new seeds",
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
        _optimum(best["params"]) if best else "as published",
        published.error,
        f"{best['value']:.3f}" if best else "",
        f"{cv['val/loss_mean']:.3f} ± {cv['val/loss_std']:.3f}" if cv else "",
        f"{found['data'].get('noise_variance') or float('nan'):.2f}",
        f"{test['test/loss']:.3f}" if test else "",
        f"{seconds.get('search', 0):.0f} s, {seconds.get('final', 0):.0f} s",
        f"{trials['complete']}, {trials['pruned']}, {trials['failed']}" if best else "",
    ]


def classification(studies: Path) -> list[list[str]]:
    """One row of :data:`CLASSIFICATION_COLUMNS` for each step."""
    return [_classification_row(studies, name) for name in CLASSIFICATION]


def _classification_row(studies: Path, name: str) -> list[str]:
    step, published_test, published_cv = CLASSIFICATION[name]
    paths = [studies / name / "results.json", *sorted(studies.glob(f"{name}_seed*/results.json"))]
    found = [json.loads(path.read_text()) for path in paths if path.is_file()]
    test = [f["test"]["test/accuracy"] for f in found if f["test"]]
    cv = [f["cv"]["val/accuracy_mean"] for f in found if f["cv"]]
    seconds = [sum(f["seconds"].get(part, 0) for f in found) for part in ("search", "final")]
    took = f"{seconds[0]:.0f} s, {seconds[1]:.0f} s" if found else ""
    seeds = str(len(test)) if test else ""
    return [step, published_test, _spread(test), seeds, published_cv, _spread(cv), took]


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
