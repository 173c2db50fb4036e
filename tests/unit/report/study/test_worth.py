"""What a report says a procedure is worth, and with what backing."""

from pathlib import Path
from typing import Any

from lightning_hpo.report.study import worth
from lightning_hpo.results.importances import Importances
from lightning_hpo.results.record import Record
from lightning_hpo.results.statistics import interval

LOSSES = [0.2, 0.3, 0.4]


def nested(name: str = "test/loss") -> dict[str, Any]:
    folds = [
        {"fold": k, "trial": k, "params": {"lr": 0.1 * (k + 1)}, "test": {name: loss}}
        for k, loss in enumerate(LOSSES)
    ]
    return {"n_folds": 3, "folds": folds, f"{name}_mean": 0.3, f"{name}_std": 0.1}


def record(found: dict[str, Any] | None, cv: dict[str, Any] | None = None) -> Record:
    results = {"study_name": "s", "monitor": "val/loss", "nested": found, "cv": cv}
    return Record(Path("s"), results, (), Importances({}, ""))  # type: ignore[arg-type]


def test_only_a_study_that_has_one_has_the_section() -> None:
    assert worth.has_one(record(nested()))
    assert not worth.has_one(record(None))


# Rule: the sentence gives the interval that is corrected for overlapping folds.
def test_the_mean_is_told_with_its_interval() -> None:
    low, high = interval(LOSSES, overlap=0.5)
    html = worth.content(record(nested()))
    assert "test/loss is 0.30 ± 0.10 over the outer folds" in html
    assert f"goes from {low:.4g} to {high:.4g}: that is what a network of this procedure" in html
    assert "has 2 of 3 parts of these samples" in html
    assert "own folds" not in html
    assert "lr = 0.2" in html and html.count("<tr>") == 5


# Rule: two means of which no test knows the spread are compared in numbers alone.
def test_the_winners_own_folds_stand_beside_it_as_numbers() -> None:
    cv = {"folds": [{"val/loss": 0.25}] * 2, "val/loss_mean": 0.25, "val/loss_std": 0.0}
    html = worth.content(record(nested(), cv))
    assert "own folds have val/loss = 0.25 on average" in html
    assert "test/loss minus that is +0.05." in html


def test_without_a_counterpart_of_the_monitor_every_metric_is_told() -> None:
    html = worth.content(record(nested("test/f1")))
    assert "test/f1 is 0.30 ± 0.10 over the outer folds" in html
