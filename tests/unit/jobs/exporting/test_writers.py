"""Each format: the same outputs, by its own runtime, for any number of samples."""

import warnings
from pathlib import Path

import onnxruntime
import pytest
import torch
from exportable import (
    OF_IMAGES,
    OF_ROWS,
    PIXELS,
    Choosy,
    Difference,
    Images,
    N,
    Rows,
    Sum,
    classifier,
    export,
    refusal,
    study,
)

from lightning_hpo.jobs.exporting import writers
from lightning_hpo.jobs.exporting.kinds import FORMATS
from lightning_hpo.protocol.files import write_json
from lightning_hpo.protocol.folder import StudyFolder


# Rule: bytes in, softmax(network((x - mean) / std) / temperature) out, for any number of samples.
@pytest.mark.parametrize("to", FORMATS)
def test_every_format_gives_the_calibrated_probabilities_of_stored_samples(
    to: str, tmp_path: Path
) -> None:
    module = classifier()
    study(tmp_path, Images, OF_IMAGES, module)
    write_json(StudyFolder(tmp_path).final.calibration, {"temperature": 2.5})
    found = export(tmp_path, to)
    x = torch.from_numpy(PIXELS)
    with torch.no_grad():
        expected = (module((x.float() - 2) / 4) / 2.5).softmax(1)
    run = writers.runner(found.path, to)
    for n in (1, 2, N):
        torch.testing.assert_close(run(x[:n]), expected[:n], rtol=0, atol=1e-6)
    assert found.path == tmp_path / "export" / f"model{FORMATS[to].suffix}"
    assert (found.size, found.format) == (found.path.stat().st_size, to)
    assert found.difference < found.tolerance == 1e-4
    assert min(found.own.single_ms, found.exported.single_ms, found.exported.batch_ms) > 0
    takes = found.interface
    assert (takes.shape, takes.dtype, takes.low, takes.high) == ((1, 2, 2), "uint8", 0, 27)
    assert (takes.classes, takes.temperature, takes.prepares) == (("a", "b"), 2.5, True)
    assert found.checked == "7 test samples"


def test_an_onnx_file_is_one_file_that_names_its_input_its_output_and_its_free_axis(
    tmp_path: Path,
) -> None:
    study(tmp_path, Images, OF_IMAGES, classifier())
    found = export(tmp_path, "onnx")
    session = onnxruntime.InferenceSession(found.path)
    (taken,), (given,) = session.get_inputs(), session.get_outputs()
    assert (taken.name, taken.type, taken.shape) == ("samples", "tensor(uint8)", ["batch", 1, 2, 2])
    assert (given.name, given.type, given.shape[1]) == ("probabilities", "tensor(float)", 2)
    assert [path.name for path in found.path.parent.iterdir()] == ["model.onnx"]


@pytest.mark.parametrize("to", FORMATS)
def test_a_regressor_gives_a_value_for_each_row(to: str, tmp_path: Path) -> None:
    found = export(study(tmp_path, Rows, OF_ROWS, Sum()), to)
    # 2 ((3 - 1) / 2 + (6 - 2) / 4) and 2 ((1 - 1) / 2 + (0 - 2) / 4).
    given = writers.runner(found.path, to)(torch.tensor([[3.0, 6.0], [1.0, 0.0]]))
    assert given.tolist() == [4.0, -1.0]
    takes = found.interface
    assert (takes.dtype, takes.classes, takes.columns) == ("float32", None, ("length", "width"))


# Rule: columns that are cut out of the rows, as categories are, do not bind the number of these.
@pytest.mark.parametrize("to", FORMATS)
def test_a_network_may_cut_columns_out_of_any_number_of_rows(to: str, tmp_path: Path) -> None:
    found = export(study(tmp_path, Rows, OF_ROWS, Difference()), to)
    run = writers.runner(found.path, to)
    # 2 ((3 - 1) / 2 - (6 - 2) / 4) and 2 ((1 - 1) / 2 - (0 - 2) / 4).
    rows = torch.tensor([[3.0, 6.0], [1.0, 0.0], [1.0, 0.0]])
    assert [run(rows[:n]).tolist() for n in (1, 2, 3)] == [[0.0], [0.0, 1.0], [0.0, 1.0, 1.0]]


# Rule: an image is judged as in the study's own test, there by the mean of it and its mirror image.
@pytest.mark.parametrize("to", ["onnx", "torchscript"])
def test_the_mirror_image_of_a_test_counts_in_the_file_too(to: str, tmp_path: Path) -> None:
    module = classifier(flip=True)
    found = export(study(tmp_path, Images, OF_IMAGES, module), to)
    x = torch.from_numpy(PIXELS)
    prepared = (x.float() - 2) / 4
    with torch.no_grad():
        logits = (module(prepared) + module(prepared.flip(-1))) / 2
        assert (logits - module(prepared)).abs().max() > 1e-3
    run = writers.runner(found.path, to)
    torch.testing.assert_close(run(x), logits.softmax(1), rtol=0, atol=1e-6)


def test_a_network_that_no_trace_can_follow_goes_as_weights_alone(tmp_path: Path) -> None:
    study(tmp_path, Images, OF_IMAGES, Choosy())
    why = refusal(tmp_path, "onnx")
    assert "Choosy must be a network that the format onnx can hold, but: " in why
    assert why.endswith("--to safetensors stores any network's weights.")
    assert export(tmp_path, "safetensors").difference < 1e-6


# Rule: that torch will drop a format is said where torch says it.
def test_what_torch_says_of_torchscript_is_passed_on(tmp_path: Path) -> None:
    study(tmp_path, Images, OF_IMAGES, classifier())
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        torch.jit.trace(torch.nn.Identity(), torch.zeros(1))
    is_deprecated = any("deprecated" in str(each.message) for each in caught)
    remarks = export(tmp_path, "torchscript").remarks
    assert [f"torch {torch.__version__} calls TorchScript deprecated" in r for r in remarks] == (
        [True] if is_deprecated else []
    )
    assert export(tmp_path, "torch").remarks == ()
