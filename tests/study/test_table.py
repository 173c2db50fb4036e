"""Real studies of real tables with categories, gaps, dates and keys: from a CSV to predictions."""

import csv
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine

sys.path.insert(0, str(Path(__file__).parent))
from command import run, trials

from lightning_hpo import load_study
from lightning_hpo.predict import main
from lightning_hpo.protocol.files import stored_object
from lightning_hpo.protocol.folder import FinalFolder
from lightning_hpo.protocol.samples import Samples, read_samples

pytestmark = pytest.mark.sweep

SHORT = ("trainer.accelerator=cpu", "cv.n_splits=2", "study.n_jobs=1", "model=mlp", "data=table")


def frame(load: Callable[..., Any], names: list[str] | None = None) -> pd.DataFrame:
    """A table of scikit-learn's with a key, a category, gaps, dates and a constant."""
    rng = np.random.default_rng(0)
    found = load(as_frame=True).frame.copy()
    n, first, second = len(found), *found.columns[:2]
    if names is not None:
        found["target"] = np.array(names)[found["target"]]
    found.insert(0, "id", np.arange(n) + 1000)
    size = np.where(found[first] > found[first].median(), "large", "small")
    found["size"] = np.where(rng.random(n) < 0.1, "", size)
    days = pd.to_timedelta(rng.integers(0, 600, n), "D")
    found["when"] = (pd.Timestamp("2024-01-01") + days).strftime("%Y-%m-%d")
    found.loc[rng.random(n) < 0.1, second] = np.nan
    found["unit"] = "mg"
    return found


def study(folder: Path, table: pd.DataFrame, *words: str) -> tuple[Path, str]:
    """The study's folder, and what it has said."""
    table.to_csv(folder / "all.csv", index=False)
    files = ("data.train=all.csv", "data.target=target", "study.name=table")
    status, out, err = run(folder, *SHORT, *files, *words, experiment="bare")
    assert (status, err) == (0, "")
    return folder / "studies" / "table", out


def kept(study_dir: Path) -> Samples:
    found = read_samples(FinalFolder(study_dir / "final").job("refit").samples)
    assert found is not None
    return found


def results(study_dir: Path) -> dict[str, Any]:
    found = stored_object(study_dir / "results.json")
    assert found is not None
    return dict(found)


# Rule: what is taken for what is said before the first trial, and stands in the results.
def test_classes_with_embedded_categories(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    table = frame(load_wine, ["barolo", "grignolino", "barbera"])
    words = ("data.categories=embedded", "data.batch_size=32", "trainer.max_epochs=10")
    folder, out = study(tmp_path, table, *words, "optimizer.lr=0.02")
    said, _, _ = out.partition("Sampler")
    assert "taken as identifier: id (counts up by 1)\n" in said
    assert "taken as category: size (text, 2 different, " in said
    assert "taken as date: when (year-month-day)\n" in said
    assert "taken as target: target (classification: 3 different texts)\n" in said
    described = results(folder)["data_description"]
    assert [c["name"] for c in described["classes"]] == ["barbera", "barolo", "grignolino"]
    assert described["samples"] == {"train": 142, "test": 36}
    assert described["columns"][0]["kind"] == "identifier"
    # Nine of ten wines are told apart.
    logits, target = kept(folder).output, kept(folder).target
    assert (logits.argmax(1) == target).mean() > 0.9
    # New rows by the names of their columns, in another order, with another category and a gap.
    new = table.drop(columns=["unit", "target"]).iloc[:, ::-1].head(20).copy()
    new.loc[:2, "size"] = ["huge", None, "small"]
    new.to_csv(tmp_path / "new.csv", index=False)
    assert main([str(folder), str(tmp_path / "new.csv")]) == 0
    found = capfd.readouterr()
    assert "1 of 20 rows have a 'size' that no training row had: it counts as none" in found.err
    rows = list(csv.DictReader(found.out.splitlines()))
    assert list(rows[0]) == ["prediction", "probability", "p_barbera", "p_barolo", "p_grignolino"]
    right = [row["prediction"] == name for row, name in zip(rows, table["target"], strict=False)]
    assert sum(right) >= 18
    by_frame = load_study(folder).predictor().probabilities(new)[:, 1]
    np.testing.assert_allclose([float(row["p_barolo"]) for row in rows], by_frame, atol=1e-6)
    # A column that is gone.
    new.drop(columns="size").to_csv(tmp_path / "less.csv", index=False)
    assert main([str(folder), str(tmp_path / "less.csv")]) == 1
    error = capfd.readouterr().err
    assert "less.csv must have the column 'size', its columns are: when" in error
    assert "the inputs of the study are: alcohol, malic_acid" in error


# Rule: of the rows of its test a network says what it said there, whatever file they come in.
def test_predictions_are_those_of_the_test(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("pyarrow")
    table = frame(load_breast_cancer)
    table.iloc[400:].to_parquet(tmp_path / "test.parquet")
    words = ("data.test=test.parquet", "trainer.max_epochs=5", "optimizer.lr=0.02")
    folder, out = study(tmp_path, table.iloc[:400], *words)
    assert "taken as target: target (classification: 2 different whole numbers)\n" in out
    logits = kept(folder).output
    assert (logits.argmax(1) == table["target"][400:]).mean() > 0.85
    assert main([str(folder), str(tmp_path / "test.parquet")]) == 0
    rows = list(csv.DictReader(capfd.readouterr().out.splitlines()))
    assert [int(row["prediction"]) for row in rows] == logits.argmax(1).tolist()


# Rule: folds that are prepared each by its own rows may have inputs of their own number.
def test_values_by_stacked_folds(tmp_path: Path) -> None:
    table = frame(load_diabetes)
    # One row alone has it, and one fold trains without it.
    table.loc[0, "size"] = "odd"
    folder, out = study(
        tmp_path,
        table,
        *("cv=kfold", "cv.parallel=stacked", "cv.n_splits=2", "cv.final=false"),
        "data.batch_size=null",
        *("callbacks=none", "trainer.max_epochs=30", "optimizer.lr=0.01"),
        *("model.dropout=choice(0,0.1)", "study.n_trials=2"),
    )
    assert [trial.state.name for trial in trials(folder)] == ["COMPLETE"] * 2
    assert "taken as target: target (regression: whole numbers from 25 to 346)\n" in out
    found = kept(folder)
    assert np.corrcoef(found.output.ravel(), found.target)[0, 1] > 0.5
    assert (
        main([str(folder), str(tmp_path / "all.csv"), "--out", str(tmp_path / "all.out.csv")]) == 0
    )
    assert len(pd.read_csv(tmp_path / "all.out.csv")) == len(table)
    figures = {path.name for path in FinalFolder(folder / "final").figures.glob("*.png")}
    assert "predicted_against_true.png" in figures


# Rule: a network says what weighs most, not what is there most often; the test asks for no weights.
def test_rows_with_weights(tmp_path: Path) -> None:
    size = np.random.default_rng(0).normal(size=120)
    table = pd.DataFrame({"size": size, "target": ["no"] * 70 + ["yes"] * 50})
    table["trust"] = np.where(table["target"] == "yes", 10, 1)
    table.iloc[::5].drop(columns="trust").to_csv(tmp_path / "test.csv", index=False)
    words = ("data.weights=trust", "data.test=test.csv", "trainer.max_epochs=10")
    folder, out = study(tmp_path, table, *words, "optimizer.lr=0.02")
    assert "taken as weight: trust (weighs the rows in the training loss)\n" in out
    logits, target = kept(folder).output, kept(folder).target
    assert (target == 1).mean() < 0.5
    assert (logits.argmax(1) == 1).mean() > 0.9
    status, _, err = run(
        tmp_path,
        *SHORT,
        *("data.train=all.csv", "data.target=target", *words, "study.name=refused"),
        "model.steps_per_call=4",
        experiment="bare",
    )
    assert status != 0
    assert "set model.steps_per_call=1, or leave out data.weights" in err
