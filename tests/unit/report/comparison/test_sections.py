"""The sections of a comparison, by the words of its page."""

import json
from pathlib import Path

from compared_studies import words_of
from report_study import write_study

from lightning_hpo.report.comparison.page import build_comparison


# Rule: configurations show models, budgets, learning curves and what was fixed.
def test_configurations_are_shown_side_by_side(root: Path, tmp_path: Path) -> None:
    for name, n_trials in (("a", 12), ("b", 0)):
        folder = write_study(tmp_path / name, name=name, n_trials=n_trials)
        refit = folder / "final" / "refit"
        refit.mkdir()
        (refit / "metrics.csv").write_text("epoch,step,train/loss\n0,1,1.5\n1,2,0.5\n")
        (refit / "config.yaml").write_text(
            "model: {_target_: package.CNN, dropout: 0.25}\n"
            "trainer: {max_epochs: 20}\ndata: {train_limit: null}\n"
        )
        number = json.loads((folder / "results.json").read_text())["best"]
        if number:
            job = folder / "trials" / str(number["number"])
            job.mkdir(parents=True)
            (job / "config.yaml").write_text(
                "model: {_target_: package.CNN}\n"
                "trainer: {max_epochs: 3}\ndata: {train_limit: 8000}\n"
            )
    found = words_of(build_comparison([tmp_path / "a", tmp_path / "b"]))
    assert "Model CNN" in found
    assert "Epochs at most 3 in a trial, 20 in the final job 20" in found
    assert "Training samples 8000 in a trial, all in the final job all" in found
    assert "(0.25)" in found
    assert "Values in brackets were not searched in that study, but fixed." in found
    assert "train/loss of each refit" in found
