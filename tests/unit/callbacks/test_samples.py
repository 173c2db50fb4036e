"""Which samples a figure shows while a network trains, and which data have none to show."""

import pytest
import torch
from quiet import quiet_trainer
from torch.utils.data import DataLoader, TensorDataset

from lightning_hpo.callbacks.samples import labelled
from lightning_hpo.data.curve import CurveDataModule
from lightning_hpo.data.digits import DigitsDataModule
from lightning_hpo.data.folds import Split
from lightning_hpo.errors import UserError
from lightning_hpo.flavour import pl
from lightning_hpo.models.fc import FCClassifier

MODULE = FCClassifier(input_shape=(1, 8, 8))


class Loads:
    """As much of a Trainer as somebody's own loaders need."""

    datamodule = None
    precision_plugin = pl.plugins.precision.Precision()

    def __init__(self, train: object, val: object = None) -> None:
        self.train_dataloader, self.val_dataloaders = train, val


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


# Rule: of somebody's own data the first batch is shown, of the validation where there is one.
def test_of_other_data_the_first_batch_is_shown() -> None:
    images, labels = torch.rand(6, 1, 8, 8), torch.arange(6)
    loader = DataLoader(TensorDataset(images, labels), batch_size=4)
    found = labelled(Loads(loader), MODULE)
    assert found.split == "first batch"
    assert torch.equal(found.images, images[:4])
    assert torch.equal(found.labels_n, labels[:4])
    assert labelled(Loads([], val=[loader]), MODULE).split == "first batch"


def test_batches_of_another_kind_are_refused() -> None:
    with pytest.raises(UserError, match=r"need batches \(x, y\), got Tensor; leave them out of"):
        labelled(Loads(DataLoader(torch.rand(4, 2))), MODULE)
