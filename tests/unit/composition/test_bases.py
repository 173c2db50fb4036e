"""How a study's classes are found, and whose Lightning they are of."""

import sys

import pytest
from omegaconf import OmegaConf

from lightning_hpo import flavour
from lightning_hpo.composition.bases import foreign_targets, let_import, settle_flavour
from lightning_hpo.errors import UserError


def study(model: str, data: str = "lightning_hpo.data.digits.DigitsDataModule"):
    return OmegaConf.create({"model": {"_target_": model}, "data": {"_target_": data}})


@pytest.fixture
def undecided(monkeypatch):
    monkeypatch.setattr(flavour, "_settled", None)


def test_only_the_users_own_classes_are_looked_at():
    cfg = study("mine.Net")
    assert list(foreign_targets(cfg)) == ["mine.Net"]
    assert list(foreign_targets(OmegaConf.create({"model": {}, "data": None}))) == []


@pytest.mark.parametrize("package", flavour.FLAVOURS)
def test_a_process_follows_the_users_class(undecided, package):
    settle_flavour(study(f"{package}.demos.boring_classes.BoringModel"))
    assert flavour.name() == package


def test_classes_of_both_are_refused(undecided):
    boring = "demos.boring_classes.Boring"
    with pytest.raises(UserError, match="must come from one flavour of Lightning"):
        settle_flavour(
            study(f"lightning.pytorch.{boring}Model", f"pytorch_lightning.{boring}DataModule")
        )


# Rule: what is no class, is missing or is of neither is for others to judge.
@pytest.mark.parametrize("target", ["no_such_module.Net", "json.loads", "collections.OrderedDict"])
def test_other_targets_decide_nothing(undecided, target):
    settle_flavour(study(target))
    assert flavour._settled is None


def test_modules_in_a_studys_own_folder_can_be_imported(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path])
    before = [*sys.path]
    let_import(tmp_path / "missing")
    assert sys.path == before
    for _ in range(2):
        let_import(tmp_path)
    assert sys.path == [*before, str(tmp_path)]
