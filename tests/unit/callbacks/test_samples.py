"""Which samples a figure shows while a network trains, and which data have none to show."""

from typing import Any

import pytest
import torch
from quiet import quiet_trainer
from torch.utils.data import DataLoader, TensorDataset

from lightning_hpo.callbacks import samples
from lightning_hpo.callbacks.samples import labelled
from lightning_hpo.data.curve import CurveDataModule
from lightning_hpo.data.digits import DigitsDataModule
from lightning_hpo.data.folds import Split
from lightning_hpo.errors import UserError
from lightning_hpo.flavour import pl
from lightning_hpo.models.fc import FCClassifier

MODULE = FCClassifier(input_shape=(1, 8, 8))


class Loads:
    """As much of a pl.Trainer as somebody's own loaders need."""

    precision_plugin = pl.plugins.precision.Precision()

    def __init__(self, train: object, val: object = None, data: object = None) -> None:
        self.train_dataloader, self.val_dataloaders = train, val
        self.state, self.datamodule = (
            pl.trainer.states.TrainerState(stage=pl.trainer.states.RunningStage.TRAINING),
            data,
        )

    validating = pl.Trainer.validating


def trainer_on(data: DigitsDataModule | CurveDataModule) -> pl.Trainer:
    data.setup("fit")
    trainer = quiet_trainer()
    trainer.datamodule = data
    return trainer


# Rule: samples of the validation split, as they are stored and as the network takes them.
def test_the_validation_split_is_shown() -> None:
    data = DigitsDataModule(train_limit=100, split=Split("holdout", val_fraction=0.25))
    found = labelled(trainer_on(data), MODULE)
    x, y = data.raw("val")
    assert (found.split, len(found.labels_n)) == ("validation split", 25)
    assert torch.equal(found.images, x)
    assert torch.equal(found.labels_n, y)
    assert torch.equal(found.inputs, data.normalised(x))


def test_a_part_of_a_split_says_so() -> None:
    found = labelled(trainer_on(DigitsDataModule(split=Split("kfold"))), MODULE, n=7)
    assert found.split == "validation split, first 7 samples"
    assert len(found.images) == len(found.inputs) == len(found.labels_n) == 7


def test_without_a_validation_split_it_is_the_training_split() -> None:
    data = DigitsDataModule(train_limit=100, split=Split("none"))
    assert labelled(trainer_on(data), MODULE).split == "training split"


def test_some_of_the_samples_keep_their_order() -> None:
    found = labelled(trainer_on(DigitsDataModule(train_limit=100)), MODULE)
    some = found.at(torch.tensor([3, 1]))
    assert torch.equal(some.labels_n, found.labels_n[[3, 1]])
    assert torch.equal(some.images, found.images[[3, 1]])
    assert torch.equal(some.inputs, found.inputs[[3, 1]])
    assert some.split == found.split


def test_inputs_have_the_precision_that_the_network_trains_in() -> None:
    trainer = trainer_on(DigitsDataModule(train_limit=100))
    other = quiet_trainer(precision="64-true")
    other.datamodule = trainer.datamodule
    assert labelled(trainer, MODULE).inputs.dtype == torch.float32
    assert labelled(other, MODULE).inputs.dtype == torch.float64


def test_real_valued_targets_have_no_classes() -> None:
    with pytest.raises(UserError, match=r"got real-valued targets; use callbacks=\[predictions\]"):
        labelled(trainer_on(CurveDataModule()), MODULE)


# Rule: of somebody's own data as many batches are shown, of the validation where there is one.
def test_of_other_data_the_first_loader_is_shown() -> None:
    images, labels = torch.rand(6, 1, 8, 8), torch.arange(6)
    loader = DataLoader(TensorDataset(images, labels), batch_size=4)
    found = labelled(Loads(loader), MODULE)
    assert found.split == "training split"
    assert torch.equal(found.images, images)
    assert torch.equal(found.labels_n, labels)
    assert labelled(Loads([], val=[loader]), MODULE).split == "validation split"
    some = labelled(Loads(loader), MODULE, n=3)
    assert some.split == "training split, first 3 samples"
    assert torch.equal(some.images, images[:3])


# Rule: a large data set is not held in memory for a figure.
def test_so_many_batches_are_shown_as_memory_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(samples, "_MOST_BYTES", 7 * 64 * 4)
    loader = DataLoader(TensorDataset(torch.rand(20, 1, 8, 8), torch.arange(20)), batch_size=4)
    found = labelled(Loads(loader), MODULE)
    assert (found.split, len(found.labels_n)) == ("training split, first 8 samples", 8)


class Augments(pl.LightningDataModule):
    """Augments on the device, by the stage of its trainer."""

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        x, y = batch
        return (
            x + 1 if self.trainer.state.stage == pl.trainer.states.RunningStage.TRAINING else x / 2
        ), y


# Rule: the network sees samples as in a validation, and the training goes on.
def test_hooks_prepare_samples_as_for_a_validation() -> None:
    images = torch.rand(4, 1, 8, 8)
    loader = DataLoader(TensorDataset(images, torch.arange(4)), batch_size=4)
    data = Augments()
    data.trainer = Loads([], val=loader, data=data)
    found = labelled(data.trainer, MODULE)
    assert torch.equal(found.inputs, images / 2)
    assert torch.equal(found.images, images)
    assert data.trainer.state.stage == pl.trainer.states.RunningStage.TRAINING


def test_batches_of_another_kind_are_refused() -> None:
    with pytest.raises(UserError, match=r"must be \(x, y\) for figures, got Tensor"):
        labelled(Loads(DataLoader(torch.rand(4, 2))), MODULE)


def test_a_map_of_labels_is_no_label() -> None:
    masks = DataLoader(TensorDataset(torch.rand(4, 1, 8, 8), torch.zeros(4, 8, 8).long()))
    with pytest.raises(UserError, match=r"one class label a sample \(N,\), got .* \(4, 8, 8\)"):
        labelled(Loads(masks), MODULE)
