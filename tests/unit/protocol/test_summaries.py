"""What fits amount to: of folds, of the fit without early stopping, of refits."""

import pytest

from lightning_hpo.protocol import summaries


def fold(k: int, loss: float) -> dict:
    metrics = {"val/loss": loss, "train/loss": 0.0}
    return {"fold": k, "epochs": 3, "best_epoch": 2, "metrics": metrics}


def test_cross_validation_is_summarised_by_mean_and_sample_standard_deviation():
    found = summaries.cross_validation([fold(1, 0.5), fold(0, 0.25), fold(2, 0.75)], "val/loss")
    assert [f["fold"] for f in found["folds"]] == [0, 1, 2]
    assert found["judged_at"] == "own"
    assert found["folds"][0] == {
        "fold": 0,
        "epoch": 2,
        "epochs": 3,
        "best_epoch": 2,
        "val/loss": 0.25,
    }
    assert (found["val/loss_mean"], found["val/loss_std"]) == (0.5, 0.25)
    assert "train/loss_mean" not in found


# Rule: a fold's values are those of the epoch that the other one chooses, not of its own best one.
def test_each_fold_is_summarised_where_the_others_judge_it():
    curves = [[0.75, 0.25, 0.5], [0.75, 1.0, 0.5]]
    folds = [
        fold(k, min(losses))
        | {"judged_at": "others", "mode": "min", "best_epoch": losses.index(min(losses))}
        | {"curve": {"epoch": [0, 1, 2], "val/loss": losses}}
        for k, losses in enumerate(curves)
    ]
    found = summaries.cross_validation(folds, "val/loss")
    assert found["judged_at"] == "others"
    assert found["folds"] == [
        {"fold": 0, "epoch": 2, "epochs": 3, "best_epoch": 1, "val/loss": 0.5},
        {"fold": 1, "epoch": 1, "epochs": 3, "best_epoch": 2, "val/loss": 1.0},
    ]
    assert found["val/loss_mean"] == 0.75
    assert found["val/loss_std"] == pytest.approx(0.125**0.5)


# Rule: a metric belongs to the stage that logged it, whatever its name, and the monitor is kept.
def test_the_metrics_of_a_cross_validation_are_those_that_its_validations_logged():
    metrics = {"loss": 0.5, "acc_val": 0.25, "MyLoss": 2.0, "val_trap": 1.0, "seconds": 9.0}
    stages = {"loss": "val", "acc_val": "val", "MyLoss": "train", "val_trap": "train"}
    folds = [fold(k, 0.0) | {"metrics": metrics, "stages": stages} for k in range(2)]
    found = summaries.cross_validation(folds, "loss")
    assert [name for name in found if name.endswith("_mean")] == ["acc_val_mean", "loss_mean"]
    assert summaries.cross_validation(folds, "MyLoss")["MyLoss_mean"] == 2.0
    single = folds[0] | {"val_fraction": 0.1, "last": metrics}
    assert list(summaries.holdout(single, "loss")["last"]) == sorted(stages)


# Rule: Lightning logs one value of a step and one of an epoch under three names; it counts once.
def test_a_metric_by_step_and_by_epoch_is_one_metric():
    names = ("val_loss", "val_loss_step", "val_loss_epoch")
    metrics = dict.fromkeys(names, 0.5)
    folds = [
        fold(k, 0.0) | {"metrics": metrics, "stages": dict.fromkeys(names, "val")} for k in range(2)
    ]
    found = summaries.cross_validation(folds, "val_loss")
    assert [name for name in found if name.endswith("_mean")] == ["val_loss_mean"]
    found = summaries.cross_validation(folds, "val_loss_epoch")
    assert found["val_loss_epoch_mean"] == 0.5


def test_the_fit_without_early_stopping_is_summarised_by_its_best_and_its_last_epoch():
    found = {"val_fraction": 0.1, "epochs": 9, "best_epoch": 4, "value": 0.5, "seconds": 1.0}
    metrics = {"train/loss": 0.5, "val/loss": 0.25, "n_parameters": 7.0}
    last = {"val/loss": 0.75, "train/loss": 0.125, "lr-Adam": 0.1}
    found |= {"new_split": True, "metrics": metrics, "last": last}
    assert summaries.holdout(found, "val/loss") == {
        "val_fraction": 0.1,
        "new_split": True,
        "epochs": 9,
        "best_epoch": 4,
        "val/loss": 0.25,
        "last": {"train/loss": 0.125, "val/loss": 0.75},
    }


# Rule: one refit's test is the result; of several it is their mean, with the sample deviation.
def test_the_test_result_is_the_mean_over_the_refits():
    one, other = {"test": {"test/accuracy": 0.5}}, {"test": {"test/accuracy": 1.0}}
    assert summaries.test_results([]) == {"test": None, "test_std": None, "no_test": None}
    alone = {"test": {"test/accuracy": 0.5}, "test_std": None, "no_test": None}
    assert summaries.test_results([one]) == alone
    both = summaries.test_results([one, other])
    assert both["test"] == {"test/accuracy": 0.75}
    assert both["test_std"]["test/accuracy"] == pytest.approx(0.125**0.5)
    untested = {"test": {}, "no_test": "Net has no test_step"}
    none = {"test": None, "test_std": None, "no_test": "Net has no test_step"}
    assert summaries.test_results([untested, untested]) == none


# Rule: repeats are named, since folds of several repeats are no cross-validation of so many parts.
def test_a_cross_validation_says_its_repeats() -> None:
    folds = [
        {"fold": k, "repeats": 2, "epochs": 1, "best_epoch": 0, "metrics": {"val/loss": 0.5}}
        for k in range(4)
    ]
    found = {"cv": summaries.cross_validation(folds, "val/loss")}
    assert (found["cv"]["n_splits"], found["cv"]["repeats"]) == (4, 2)
    (line,) = summaries.cross_validation_words(found)
    assert line.startswith("cross-validation, 4 folds in 2 repeats: val/loss 0.5000")
    assert summaries.cross_validation_title({"n_splits": 5}) == "5-fold cross-validation"
