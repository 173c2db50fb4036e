"""Predictions by real studies, from the command line and from Python, of what they were tested on.

The outputs that each refit's test has left are what the predictions must be.
"""

import csv
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import warm

sys.path.insert(0, str(Path(__file__).parent))
import kept as kept_studies
from command import HERE, TIMEOUT_S, run

from lightning_hpo import UserError, load_study
from lightning_hpo.protocol.files import stored_object
from lightning_hpo.protocol.folder import FinalFolder, StudyFolder
from lightning_hpo.protocol.samples import Samples, read_samples

pytestmark = pytest.mark.sweep


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of two refits, with its test images in ``test.npy`` beside ``studies``."""
    return kept_studies.digits(tmp_path_factory) / "studies" / "digits"


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of a table with two inputs, whose files lie beside ``studies``."""
    folder = tmp_path_factory.mktemp("table")
    rng = np.random.default_rng(0)
    for name, n in (("train", 60), ("test", 20)):
        age, height = rng.normal(1, 3, n), rng.normal(100, 50, n)
        rows = zip(height, age, age + height / 50, strict=True)
        lines = ["note,height,age,y", *(f"x,{a:.4f},{b:.4f},{c:.4f}" for a, b, c in rows)]
        (folder / f"{name}.csv").write_text("\n".join(lines))
    files = ("data=csv", "data.train_csv=train.csv", "data.test_csv=test.csv", "model=mlp")
    words = ("data.inputs=[age,height]", "data.target=y", "study.name=table")
    status, _, err = run(folder, *files, *words, *kept_studies.SHORT, experiment="bare")
    assert (status, err) == (0, "")
    return folder / "studies" / "table"


def predict(study_dir: Path, *words: str, cold: bool = False) -> tuple[int, str, str]:
    """Exit status, standard output and error, in the folder beside ``studies``."""
    done = warm.run(
        ["-m", "lightning_hpo.predict", str(study_dir), *words],
        cold=cold,
        strict=True,
        cwd=study_dir.parents[1],
        env=os.environ | {"PYTHONPATH": f"{HERE.parents[1]}{os.pathsep}{HERE}"},
        timeout=TIMEOUT_S,
    )
    return done.returncode, done.stdout, done.stderr


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(text.splitlines()))


def kept(study_dir: Path, name: str = "refit") -> Samples:
    found = read_samples(FinalFolder(study_dir / "final").job(name).samples)
    assert found is not None and np.array_equal(found.index, np.arange(len(found.index)))
    return found


def softmax(logits: Any) -> Any:
    return torch.from_numpy(logits.astype(np.float64)).softmax(1).numpy()


# Rule: of the samples of its test a network says what it said there, whatever the batches.
def test_classes_are_those_of_the_networks_own_test(digits: Path) -> None:
    status, out, err = predict(digits, "test.npy", "--batch-size", "77", cold=True)
    assert status == 0
    found, logits = rows(out), kept(digits).output
    assert [int(row["prediction"]) for row in found] == logits.argmax(1).tolist()
    calibration = stored_object(StudyFolder(digits).final.calibration)
    assert calibration is not None and 0.05 < calibration["temperature"] < 20
    assert f"logits / {calibration['temperature']:.4g}, the temperature in" in err
    expected = softmax(logits / calibration["temperature"])
    given = np.array([[float(row[f"p_{k}"]) for k in range(10)] for row in found])
    np.testing.assert_allclose(given, expected, atol=1e-5)
    given_best = [float(row["probability"]) for row in found]
    np.testing.assert_allclose(given_best, expected.max(1), atol=1e-5)


def test_the_ensemble_is_the_mean_of_the_refits(digits: Path) -> None:
    mean = np.mean([kept(digits, name).output for name in ("refit", "refit_1")], axis=0)
    status, out, err = predict(digits, "test.npy", "--ensemble", "--out", "ensemble.csv")
    assert (status, out) == (0, "") and "without a temperature" in err
    found = rows((digits.parents[1] / "ensemble.csv").read_text())
    given = np.array([[float(row[f"p_{k}"]) for k in range(10)] for row in found])
    np.testing.assert_allclose(given, softmax(mean), atol=1e-5)
    assert [int(row["prediction"]) for row in found] == mean.argmax(1).tolist()


def test_python_gives_the_same(digits: Path) -> None:
    images = np.load(digits.parents[1] / "test.npy")
    predictor = load_study(digits).predictor()
    logits = kept(digits).output
    assert predictor.predict(images[:, 0]).tolist() == logits.argmax(1).tolist()
    assert np.array_equal(predictor.predict(torch.from_numpy(images)), logits.argmax(1))
    _, out, _ = predict(digits, "test.npy")
    of_command = [float(row["p_3"]) for row in rows(out)]
    np.testing.assert_allclose(predictor.probabilities(images)[:, 3], of_command, atol=1e-8)
    ensemble = load_study(digits).predictor(ensemble=True)
    assert ensemble.temperature == 1
    with pytest.raises(UserError, match=r"\(N, 1, 8, 8\) or \(N, 8, 8\) .* got \(5, 9, 9\)"):
        ensemble.predict(np.zeros((5, 9, 9)))


def test_values_are_those_of_the_networks_own_test(table: Path) -> None:
    status, out, err = predict(table, "test.csv")
    assert (status, err) == (0, "the column 'y' is the target: ignored\n")
    values = [float(row["prediction"]) for row in rows(out)]
    np.testing.assert_allclose(values, kept(table).output, rtol=1e-5, atol=1e-6)


# Rule: the study's own files may be gone.
def test_nothing_of_the_studys_data_is_needed(table: Path) -> None:
    (table.parents[1] / "train.csv").unlink(missing_ok=True)
    new = table.parents[1] / "new.csv"
    new.write_text("age,height\n1,100\n2,200\n")
    status, out, err = predict(table, "new.csv")
    assert (status, err, len(rows(out))) == (0, "", 2)
    values = load_study(table).predictor().predict([[1, 100], [2, 200]])
    np.testing.assert_allclose([float(row["prediction"]) for row in rows(out)], values, rtol=1e-6)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("age,y\n1,2\n", "must have the column 'height', its columns are: age, y; the inputs of"),
        ("age,height\n1,nan\n", "line 2, column 'height': must be a finite number"),
    ],
)
def test_what_does_not_fit_is_one_line_and_no_file(table: Path, text: str, message: str) -> None:
    (table.parents[1] / "bad.csv").write_text(text)
    status, out, err = predict(table, "bad.csv", "--out", "never.csv")
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert message in err
    assert not (table.parents[1] / "never.csv").exists()


def test_an_ensemble_that_there_is_none_of_is_one_line(table: Path) -> None:
    status, out, err = predict(table, "test.csv", "--ensemble")
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert "ensemble.ckpt is missing or damaged" in err
