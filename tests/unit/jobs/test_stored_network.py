"""A final job's network, opened again: what can be refused before any class is imported."""

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from lightning_hpo.errors import UserError
from lightning_hpo.jobs.stored_network import from_checkpoint
from lightning_hpo.protocol.folder import StudyFolder


def refusal(folder: Path, part: str = "model", **options: str) -> str:
    with pytest.raises(UserError) as refused:
        from_checkpoint(folder, part, trusted=True, way_out="--trust", **options)
    return str(refused.value)


def test_a_network_that_is_not_there_is_named_with_the_way_to_it(tmp_path: Path) -> None:
    assert f"{tmp_path / 'final' / 'model.ckpt'} is missing or damaged; run the" in refusal(
        tmp_path
    )
    said = refusal(tmp_path, "ensemble", no_ensemble="it has no forward")
    assert "ensemble.ckpt is missing or damaged (it has no forward); run" in said
    assert said.endswith("with study.final=true study.n_refits=3.")


def test_a_class_that_is_gone_is_named(tmp_path: Path) -> None:
    final = StudyFolder(tmp_path).final
    final.refit.path.mkdir(parents=True)
    named = {"model": {"_target_": "gone.Model"}, "data": {"_target_": "gone.Data"}}
    OmegaConf.save(named, final.refit.config)
    # The end of an empty ZIP archive, as torch writes its files.
    final.checkpoint.write_bytes(b"PK\5\6" + b"\0" * 18)
    assert "gone.Data must be importable and open its own checkpoint" in refusal(tmp_path, "data")


def test_another_ones_network_is_opened_only_with_trust(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"then add --trust\."):
        from_checkpoint(tmp_path, "model", trusted=False, way_out="--trust")
