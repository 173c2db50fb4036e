"""What a metric measures by its name, and which names belong together: literal names."""

import pytest

from lightning_hpo.protocol.stages import (
    counterpart,
    curve_keys,
    is_accuracy,
    is_loss,
    is_share,
    of_stage,
    quantity,
    recorded_stages,
    weighs_classes_alike,
    without_forks,
)


@pytest.mark.parametrize(
    ("name", "measured"),
    [
        ("val/loss", "loss"),
        ("val_loss", "loss"),
        ("valid_loss", "loss"),
        ("loss_val", "loss"),
        ("Loss/val", "Loss"),
        ("val-acc", "acc"),
        ("validation/acc", "acc"),
        ("valLoss", "Loss"),
        ("metrics/val/loss", "metrics/loss"),
        ("train/acc/top1", "acc/top1"),
        ("val_loss_epoch", "loss"),
        ("val/loss/dataloader_idx_0", "loss/dataloader_idx_0"),
        # No stage, or nothing else: the name is all there is.
        ("MyLoss", "MyLoss"),
        ("validity", "validity"),
        ("developer_loss", "developer_loss"),
        ("val", "val"),
    ],
)
def test_a_quantity_is_the_name_without_its_stage(name: str, measured: str) -> None:
    assert quantity(name) == measured


def test_the_counterpart_is_the_one_metric_of_the_same_quantity() -> None:
    assert counterpart("val_acc", ["test_loss", "test_acc"]) == "test_acc"
    assert counterpart("MyLoss", ["test/MyLoss_epoch"]) == "test/MyLoss_epoch"
    assert counterpart("val/loss", ["test/accuracy"]) is None
    # Of two test sets neither is meant more than the other.
    two = ["test/loss/dataloader_idx_0", "test/loss/dataloader_idx_1"]
    assert counterpart("val/loss", two) is None


def test_what_is_logged_by_step_and_by_epoch_counts_once() -> None:
    names = ["val_loss", "val_loss_step", "val_loss_epoch", "first_step"]
    assert without_forks(names) == ["val_loss", "first_step"]
    assert without_forks(names, keep="val_loss_epoch") == [
        "val_loss",
        "val_loss_epoch",
        "first_step",
    ]
    # As a logger's file has them.
    assert without_forks(["loss_step", "loss_epoch"]) == ["loss_epoch"]


def test_a_loss_is_known_by_its_quantity() -> None:
    assert all(map(is_loss, ("val/loss", "loss_val", "MyLoss", "train_loss_epoch")))
    assert is_loss("val_loss/dataloader_idx_0")
    assert not is_loss("val/accuracy")


# Rule: the record decides; the words decide only where an earlier version has left no record.
def test_stages_are_those_that_the_fit_recorded() -> None:
    found = {"metrics": {"val/loss": 0.5, "train_acc": 1.0, "seconds": 2.0}}
    assert recorded_stages(found) == {"val/loss": "val", "train_acc": "train"}
    assert recorded_stages(found | {"stages": {"val/loss": "train"}}) == {"val/loss": "train"}
    assert of_stage({"b": "val", "a": "val", "c": "train"}, "val") == ["a", "b"]


def test_two_metrics_of_one_quantity_have_curves_of_their_own() -> None:
    stages = {"val/loss": "val", "loss_val": "val", "train_loss": "train"}
    assert curve_keys(stages) == {
        "loss_val": "val/loss",
        "val/loss": "val/val/loss",
        "train_loss": "train/loss",
    }


def test_what_counts_every_class_alike_is_known_by_its_name() -> None:
    alike = ("val/balanced_accuracy", "val_f1", "AUROC/test", "val/macro-recall", "val/F1-Score")
    assert all(map(weighs_classes_alike, alike))
    assert not any(map(weighs_classes_alike, ("val/accuracy", "val/loss", "val/auto", "f1_loss")))
    assert [is_share(name) for name in ("val/f1", "val_acc", "val/loss")] == [True, True, False]


def test_an_accuracy_is_one_by_its_whole_name() -> None:
    names = ("test/accuracy", "test_acc", "acc/val", "test/balanced_accuracy", "test/loss")
    assert [is_accuracy(name) for name in names] == [True, True, True, False, False]
