"""Weights in a safetensors file, and what builds their network again."""

from pathlib import Path

import pytest
import torch
from exportable import OF_IMAGES, PIXELS, Images, Scaling, classifier, export, refusal, study

from lightning_hpo.errors import UserError
from lightning_hpo.jobs.exporting import weights


def test_weights_hold_a_preprocessing_that_its_buffers_make(tmp_path: Path) -> None:
    study(tmp_path, Scaling, OF_IMAGES, classifier())
    why = refusal(tmp_path, "safetensors")
    assert "made by its own buffers, but Scaled takes (factor)" in why
    assert export(tmp_path, "torch").difference < 1e-6


# Rule: it predicts and is not trained, so that an output is an array at once.
def test_what_is_opened_is_in_eval_mode_and_wants_no_gradient(tmp_path: Path) -> None:
    found = export(study(tmp_path, Images, OF_IMAGES, classifier()), "safetensors")
    module = weights.load(found.path)
    assert not module.training
    assert module(torch.from_numpy(PIXELS)).numpy().shape == (7, 2)


def test_a_file_that_is_none_of_ours_is_refused(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    other = tmp_path / "other.safetensors"
    save_file({"weight": torch.zeros(2)}, other)
    with pytest.raises(UserError, match="must be a file that --to safetensors has written"):
        weights.load(other)
    other.write_bytes(b"no such file")
    with pytest.raises(UserError, match="must be a file that --to safetensors has written"):
        weights.load(other)
