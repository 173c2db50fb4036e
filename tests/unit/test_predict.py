"""The command that predicts: what goes to which stream, its exit status, what it writes."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lightning_hpo.errors import UserError
from lightning_hpo.jobs.predictor import Predictions
from lightning_hpo.predict import main

FOUND = Predictions(np.array([1]), np.array([[0.25, 0.75]]), ("a", "b"))


class Stand:
    """In the place of a predictor, whose network's class prints."""

    temperature = 1.0
    found = FOUND
    error: UserError | None = None

    def read(self, path: Path) -> str:
        return "samples"

    def names(self, path: Path) -> list[str] | None:
        return [path.name] if path.suffix == ".png" else None

    def doubts(self, path: Path, x: str) -> list[str]:
        return [f"a doubt of {x}"]

    def predictions(self, x: str, name: str) -> Predictions:
        sys.stdout.write("a word of the network's\n")
        if self.error is not None:
            raise self.error
        return self.found


@pytest.fixture
def stand(monkeypatch: pytest.MonkeyPatch) -> Stand:
    """What the command gets; ``asked`` are the arguments that it was made with."""
    made = Stand()

    def predictor(folder: Path, **options: Any) -> Stand:
        vars(made)["asked"] = options
        return made

    monkeypatch.setattr(sys.modules[main.__module__], "predictor", predictor)
    monkeypatch.setattr(sys, "stdout", sys.stdout)
    monkeypatch.setattr(sys, "stderr", sys.stderr)
    return made


def test_the_table_alone_is_on_standard_output(
    stand: Stand, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path), "x.npy"]) == 0
    told = capsys.readouterr()
    assert told.out == "prediction,probability,p_a,p_b\nb,0.75,0.25,0.75\n"
    assert told.err.splitlines() == [
        "a word of the network's",
        "a doubt of samples",
        "probabilities are the softmax of the logits, without a temperature",
    ]
    assert vars(stand)["asked"] == {
        "ensemble": False,
        "trusted": False,
        "way_out": "--trust",
        "batch_size": 1000,
    }


def test_the_temperature_is_said_and_an_ensemble_has_none(
    stand: Stand, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stand.temperature = 1.25
    main([str(tmp_path), "x.npy"])
    assert "logits / 1.25, the temperature in final/calibration.json" in capsys.readouterr().err
    stand.temperature = 1.0
    main([str(tmp_path), "x.npy", "--ensemble", "--trust", "--batch-size", "7"])
    assert "the networks' mean logits, without a temperature" in capsys.readouterr().err
    options = vars(stand)["asked"]
    assert (options["ensemble"], options["trusted"], options["batch_size"]) == (True, True, 7)


def test_a_file_is_written_and_standard_output_stays_empty(
    stand: Stand, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stand.found = Predictions(np.array([1.5]))
    out = tmp_path / "out.csv"
    assert main([str(tmp_path), "x.npy", "--out", str(out)]) == 0
    told = capsys.readouterr()
    assert (told.out, out.read_text()) == ("", "prediction\n1.5\n")
    assert told.err.splitlines()[-1] == f"{out}, rows: 1"
    assert "probabilities" not in told.err


def test_a_mistake_is_one_line_and_leaves_no_file(
    stand: Stand, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stand.error = UserError("x.npy must be finite.")
    out = tmp_path / "out.csv"
    assert main([str(tmp_path), "x.npy", "--out", str(out)]) == 1
    told = capsys.readouterr()
    assert told.err.splitlines()[-1] == "lightning-hpo: x.npy must be finite."
    assert told.out == "" and not out.exists()


def test_a_folder_that_is_none_and_a_file_that_cannot_be_are_refused_at_once(
    stand: Stand, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path / "none"), "x.npy"]) == 1
    assert "STUDY_DIR must be the folder of a study" in capsys.readouterr().err
    assert main([str(tmp_path), "x.npy", "--out", "out.json"]) == 1
    assert "--out must end in .csv or .parquet" in capsys.readouterr().err
    assert "asked" not in vars(stand)


def test_images_are_named(stand: Stand, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path), "x.png"]) == 0
    expected = "file,prediction,probability,p_a,p_b\nx.png,b,0.75,0.25,0.75\n"
    assert capsys.readouterr().out == expected
