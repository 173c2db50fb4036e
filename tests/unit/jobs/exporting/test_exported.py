"""From a study's folder to a file: which network, and that a failure leaves nothing."""

from pathlib import Path

import pytest
import torch
from exportable import OF_IMAGES, PIXELS, Images, classifier, export, refusal, save, study

from lightning_hpo.errors import UserError
from lightning_hpo.jobs.exporting import writers
from lightning_hpo.jobs.exporting.kinds import FORMATS
from lightning_hpo.models.ensemble import Ensemble
from lightning_hpo.protocol.files import write_json
from lightning_hpo.protocol.folder import StudyFolder


@pytest.mark.parametrize("to", ["onnx", "torch", "safetensors"])
def test_an_ensemble_is_the_mean_of_its_members_logits_without_a_temperature(
    to: str, tmp_path: Path
) -> None:
    members = [classifier(), classifier()]
    with torch.no_grad():
        next(members[1].parameters()).mul_(-2)
    study(tmp_path, Images, OF_IMAGES, members[0])
    final = StudyFolder(tmp_path).final
    write_json(final.calibration, {"temperature": 2.5})
    save(Ensemble.of(members), final.ensemble_checkpoint, {"Images": OF_IMAGES})
    found = export(tmp_path, to, ensemble=True)
    assert found.path.name == f"ensemble{FORMATS[to].suffix}"
    assert (found.network, found.interface.temperature) == ("ensemble", 1)
    x = torch.from_numpy(PIXELS)
    with torch.no_grad():
        mean = sum(member((x.float() - 2) / 4) for member in members) / 2
    given = writers.runner(found.path, to)(x)
    torch.testing.assert_close(given, torch.as_tensor(mean).softmax(1), rtol=0, atol=1e-6)


def test_outputs_that_differ_leave_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study(tmp_path, Images, OF_IMAGES, classifier())
    runner = writers.runner

    def astray(path: Path, kind: str) -> writers.Runner:
        run = runner(path, kind)
        return lambda x: run(x) + 0.25

    monkeypatch.setattr(writers, "runner", astray)
    assert "must agree with its study's to 0.0001, but the format torch differs by 0.25 on 7" in (
        refusal(tmp_path)
    )


# Rule: the file of an earlier export stays whole when a later one fails.
def test_a_failure_leaves_the_earlier_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study(tmp_path, Images, OF_IMAGES, classifier())
    found = export(tmp_path)
    before = found.path.read_bytes()
    monkeypatch.setattr(writers, "runner", lambda path, kind: lambda x: torch.full((1,), torch.nan))
    with pytest.raises(UserError, match="differs by inf"):
        export(tmp_path)
    assert [path.read_bytes() for path in found.path.parent.iterdir()] == [before]


def test_an_unfinished_study_has_nothing_to_export(tmp_path: Path) -> None:
    assert "a study's model is what its final job leaves" in refusal(tmp_path)
