"""Partials of a configuration: plain ones, which a module can keep and a checkpoint can hold."""

import functools
import pickle
from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf

from lightning_hpo import flavour
from lightning_hpo.composition.instantiate import make, target_of
from lightning_hpo.errors import UserError
from lightning_hpo.flavour import pl

SGD = {"_target_": "torch.optim.SGD", "_partial_": True, "lr": 0.25}


class Keeps(pl.LightningModule):
    """Takes all that it was given from where ``save_hyperparameters`` put it."""

    def __init__(self, optimizer, others) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.layer = torch.nn.Linear(1, 1)

    def configure_optimizers(self):
        return self.hparams.optimizer(self.parameters())


def essence(partial: functools.partial) -> tuple:
    return type(partial), partial.func, partial.keywords


PLAIN = (functools.partial, torch.optim.SGD, {"lr": 0.25})


def test_a_partial_node_becomes_a_partial_of_the_standard_library():
    assert essence(make(OmegaConf.create(SGD))) == PLAIN


# Rule: what save_hyperparameters finds it keeps, wherever in the arguments a partial stands.
def test_partials_survive_save_hyperparameters_and_a_checkpoint(tmp_path: Path):
    node = {"_target_": f"{__name__}.Keeps", "optimizer": SGD, "others": {"a": [SGD], "b": 1}}
    module = make(OmegaConf.create(node), _convert_="all")
    assert module.configure_optimizers().param_groups[0]["lr"] == 0.25
    trainer = pl.Trainer(accelerator="cpu", logger=False, enable_checkpointing=False)
    trainer.strategy.connect(module)
    trainer.save_checkpoint(tmp_path / "kept.ckpt", weights_only=True)
    again = Keeps.load_from_checkpoint(tmp_path / "kept.ckpt", weights_only=False)
    assert essence(again.hparams.optimizer) == PLAIN
    assert essence(again.hparams.others["a"][0]) == PLAIN
    assert again.configure_optimizers().param_groups[0]["lr"] == 0.25


# Rule: nothing of ours or of Hydra's is needed to open it.
def test_a_pickled_partial_names_neither_hydra_nor_this_package():
    node = {"_target_": "builtins.dict", "optimizer": SGD}
    pickled = pickle.dumps(make(OmegaConf.create(node))["optimizer"])
    assert b"hydra" not in pickled and b"lightning_hpo" not in pickled
    assert essence(pickle.loads(pickled)) == PLAIN


# Rule: a name of Lightning's is read in the flavour of the process, wherever in the node it stands.
def test_lightnings_own_classes_are_of_the_flavour_of_the_process():
    from lightning_hpo.flavour import pl

    (other,) = {*flavour.FLAVOURS} - {flavour.name()}
    node = OmegaConf.create(
        {
            "_target_": "builtins.dict",
            "timer": {"_target_": f"{other}.callbacks.Timer"},
            "several": [{"_target_": f"{other}.callbacks.Timer"}, 3, None],
            "same": "${timer}",
        }
    )
    made = make(node)
    assert (
        type(made["timer"]) is type(made["several"][0]) is type(made["same"]) is pl.callbacks.Timer
    )
    assert made["several"][1:] == [3, None]
    # The configuration itself stays as it was written, for the record.
    assert node.timer._target_ == f"{other}.callbacks.Timer"
    assert target_of(node.timer) is pl.callbacks.Timer
    assert target_of(OmegaConf.create({"a": 1})) is None


# Rule: what a user's module says about its own import is the whole message.
def test_a_mistake_while_a_module_is_imported_passes_unchanged(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    source = "from lightning_hpo.errors import UserError\nraise UserError('write a guard.')\n"
    (tmp_path / "never_imported.py").write_text(source)
    with pytest.raises(UserError, match=r"^write a guard\.$"):
        target_of(OmegaConf.create({"_target_": "never_imported.Net"}))
