"""Which samples an export is checked on."""

from pathlib import Path

import torch
from exportable import (
    OF_IMAGES,
    OF_ROWS,
    Dicts,
    Gone,
    Images,
    Others,
    Rows,
    Sum,
    classifier,
    export,
    refusal,
    study,
)

from lightning_hpo.jobs.exporting import writers
from lightning_hpo.jobs.exporting.samples import made_up


def test_a_users_own_data_prepare_nothing_and_that_is_said(tmp_path: Path) -> None:
    found = export(study(tmp_path, Others, {}, Sum()))
    run = writers.runner(found.path, "torch")
    assert run(torch.tensor([[3.0, 6.0]])).tolist() == [18.0]
    assert not found.interface.prepares and found.checked == "7 test samples"
    assert any("without any preprocessing" in remark for remark in found.remarks)


def test_inputs_that_are_no_tensor_are_refused_in_one_line(tmp_path: Path) -> None:
    why = refusal(study(tmp_path, Dicts, {}, Sum()))
    assert "a network of one tensor is exported, but the inputs of a batch are of type dict" in why


def test_without_the_studys_data_the_check_is_on_made_up_samples(tmp_path: Path) -> None:
    found = export(study(tmp_path, Gone, OF_IMAGES, classifier()))
    assert found.checked == "256 made-up samples" and found.interface.dtype == "uint8"
    assert any("do not open here (no file here)" in remark for remark in found.remarks)


# Rule: of the training data's mean and deviation; fractions stay fractions.
def test_made_up_samples_are_like_the_studys() -> None:
    data = Rows()
    data.load_state_dict(OF_ROWS)
    x = made_up(data)
    torch.testing.assert_close(x.mean(0), torch.tensor([1.0, 2.0]), rtol=0, atol=0.6)
    torch.testing.assert_close(x.std(0), torch.tensor([2.0, 4.0]), rtol=0, atol=0.6)
    assert torch.equal(x, made_up(data))
    images = Images()
    images.load_state_dict(OF_IMAGES | {"mean": torch.tensor([0.5]), "std": torch.tensor([0.2])})
    assert made_up(images).dtype == torch.float32
