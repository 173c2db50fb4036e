"""The formats, what they need, and where their files go."""

from importlib.util import find_spec
from pathlib import Path

import pytest

from lightning_hpo.errors import UserError
from lightning_hpo.jobs.exporting import kinds
from lightning_hpo.jobs.exporting.kinds import FORMATS, file_for, format_of


def test_an_unknown_format_names_those_that_there_are() -> None:
    with pytest.raises(UserError, match=r"onnx, torchscript, torch, safetensors, got 'onx'\. Did"):
        format_of("onx")


def test_a_missing_package_is_named_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        kinds, "find_spec", lambda name: None if name.startswith("onnxr") else find_spec(name)
    )
    with pytest.raises(UserError, match=r"the format onnx needs .* -m pip install onnxruntime$"):
        format_of("onnx")
    assert format_of("torch").packages == ()


def test_a_file_has_the_ending_of_its_format_and_a_folder(tmp_path: Path) -> None:
    kind = FORMATS["torch"]
    assert file_for(tmp_path, tmp_path / "x.PT2", kind, ensemble=True) == tmp_path / "x.PT2"
    with pytest.raises(UserError, match=r"format torch must end in \.pt2, got .*x\.onnx"):
        file_for(tmp_path, tmp_path / "x.onnx", kind, ensemble=False)
    with pytest.raises(UserError, match="in a folder that exists"):
        file_for(tmp_path, tmp_path / "none" / "x.pt2", kind, ensemble=False)
