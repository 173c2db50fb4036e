"""The command that exports: what goes to which stream, its exit status, what it was asked for."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lightning_hpo.errors import UserError
from lightning_hpo.export import main
from lightning_hpo.jobs.exporting.kinds import Exported, Interface, Latency

FOUND = Exported(
    path=Path("s/export/model.onnx"),
    card=Path("s/export/model_card.md"),
    format="onnx",
    size=12345,
    network="model",
    architecture="Net",
    n_parameters=7,
    interface=Interface((1, 8, 8), "uint8", 0, 16, ("a", "b"), 1.0, prepares=True),
    checked="9 test samples",
    difference=1.5e-7,
    tolerance=1e-4,
    own=Latency(2.0, 30.0),
    exported=Latency(0.25, 4.0),
    threads=2,
    remarks=("a remark",),
)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the command asks for; it gets ``found``, or the error of that name."""
    told: dict[str, Any] = {"found": FOUND}

    def export_study(folder: Path, to: str, **options: Any) -> Exported:
        sys.stdout.write("a word of the exporter's\n")
        told.update(folder=folder, to=to, **options)
        if isinstance(told["found"], UserError):
            raise told["found"]
        found: Exported = told["found"]
        return found

    monkeypatch.setattr(sys.modules[main.__module__], "export_study", export_study)
    monkeypatch.setattr(sys, "stdout", sys.stdout)
    monkeypatch.setattr(sys, "stderr", sys.stderr)
    return told


def test_the_file_its_check_its_speed_and_its_card_are_printed(
    asked: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["s"]) == 0
    told = capsys.readouterr()
    assert told.err.splitlines() == ["a word of the exporter's", "a remark"]
    assert told.out.splitlines() == [
        "s/export/model.onnx, 12,345 bytes: uint8 (N, 1, 8, 8) to float32 probabilities (N, 2)",
        "agrees with the study's own outputs on 9 test samples: largest difference 1.5e-07, at most"
        " 0.0001",
        "median time on this CPU, threads: 2: one sample 0.25 ms (own 2 ms), 256 samples 4 ms"
        " (own 30 ms)",
        "model card s/export/model_card.md",
    ]


def test_values_are_compared_by_the_largest(
    asked: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    asked["found"] = replace(FOUND, interface=Interface((2,), "float32", 0, 1, None, 1.0, True))
    main(["s", "--to", "torch"])
    first, second, *_ = capsys.readouterr().out.splitlines()
    assert first.endswith("float32 (N, 2) to float32 values (N)")
    assert "largest difference 1.5e-07 of the largest value, at most" in second


def test_the_words_of_the_command_line_are_passed_on(asked: dict[str, Any]) -> None:
    words = ["s", "--to", "torch", "--ensemble", "--trust", "--out", "x.pt2"]
    assert main(words) == 0
    assert asked == {
        "found": FOUND,
        "folder": Path("s"),
        "to": "torch",
        "ensemble": True,
        "trusted": True,
        "out": Path("x.pt2"),
        "way_out": "--trust",
    }
    main(["s"])
    assert (asked["to"], asked["ensemble"], asked["trusted"], asked["out"]) == (
        "onnx",
        False,
        False,
        None,
    )


def test_a_mistake_is_one_line_and_status_1(
    asked: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    asked["found"] = UserError("no such network.")
    assert main(["s"]) == 1
    told = capsys.readouterr()
    assert (told.out, told.err.splitlines()[-1]) == ("", "lightning-hpo: no such network.")


def test_a_format_and_a_folder_are_checked_before_anything_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdout", sys.stdout)
    monkeypatch.setattr(sys, "stderr", sys.stderr)
    assert main([str(tmp_path / "none"), "--to", "pickle"]) == 1
    assert "one of onnx, torchscript, torch, safetensors, got 'pickle'" in capsys.readouterr().err
    assert main([str(tmp_path / "none"), "--to", "torch"]) == 1
    assert "STUDY_DIR must be the folder of a study, got" in capsys.readouterr().err
    assert main([str(tmp_path), "--to", "torch"]) == 1
    assert "results.json" in capsys.readouterr().err
