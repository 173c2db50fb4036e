"""What can be trained as a stack, and that all else is named rather than trained wrongly."""

from collections.abc import Iterator

import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

from lightning_hpo.data.curve import CurveDataModule
from lightning_hpo.data.digits import DigitsDataModule
from lightning_hpo.data.folds import Split
from lightning_hpo.entry import config_dir
from lightning_hpo.errors import UserError
from lightning_hpo.fitting.stackable import (
    Fold,
    checked_stopping,
    member_of,
    require_alike,
)
from lightning_hpo.models.fc import FCClassifier
from lightning_hpo.models.mlp import MLPClassifier, MLPRegressor
from lightning_hpo.stack.training import Stopping

STOPPING = "{_target_: pytorch_lightning.callbacks.EarlyStopping, monitor: val/loss, patience: 3"


@pytest.fixture(autouse=True)
def _hydra() -> Iterator[None]:
    with initialize_config_dir(str(config_dir())):
        yield


def composed(*overrides: str) -> DictConfig:
    told = ["data=curve", "model=mlp", "cv=kfold", "cv.parallel=stacked", "callbacks=none"]
    return compose("config", overrides=[*told, *overrides])


# Rule: without early stopping there is no patience; with it, its own.
def test_the_stopping_is_that_of_the_callback() -> None:
    assert checked_stopping(composed()) == Stopping()
    early = f"+callbacks.early={STOPPING}, min_delta: 0.5}}"
    assert checked_stopping(composed(early)) == Stopping(3, 0.5, 1)
    every = "+trainer.check_val_every_n_epoch=4"
    assert checked_stopping(composed(early, every)) == Stopping(3, 0.5, 4)


# Rule: a setting that a stack would not honour is refused, with the way out.
@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["monitor=val/accuracy"], "monitored by val/loss, mode=min, got monitor=val/accuracy"),
        (["mode=max"], "got monitor=val/loss, mode=max"),
        (["cv.epochs_per_step=0"], "an integer of at least 1, got cv.epochs_per_step=0"),
        (["trainer.precision=16-mixed"], "do not know trainer.precision=16-mixed"),
        (["+trainer.gradient_clip_val=0.5"], "do not know trainer.gradient_clip_val=0.5"),
        (["+trainer.accumulate_grad_batches=2"], "do not know trainer.accumulate_grad_batches=2"),
        (["+trainer.max_steps=9"], "do not know trainer.max_steps=9"),
        (["+trainer.limit_val_batches=0"], "do not know trainer.limit_val_batches=0"),
        (["++trainer.enable_checkpointing=true"], "loggers of their own and no checkpoints"),
        (["augment=standard"], "train on the data as they are; augment=none"),
        (["pruner=wilcoxon"], "choose pruner=median"),
        (["+callbacks.rate={_target_: pytorch_lightning.callbacks.Timer}"], "callback, got Timer"),
        ([f"+callbacks.early={STOPPING}, stopping_threshold: 0.1}}"], r"thresholds \(0.1, None\)"),
        ([f"+callbacks.early={STOPPING}, mode: max}}"], "mode=max and thresholds"),
    ],
)
def test_what_a_stack_does_not_know_is_refused(overrides: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message) as refused:
        checked_stopping(composed(*overrides))
    assert "cv." in str(refused.value) or "pruner=" in str(refused.value)


@pytest.mark.parametrize(
    "neutral", ["+trainer.max_steps=-1", "+trainer.gradient_clip_val=null", "trainer.precision=32"]
)
def test_settings_that_change_nothing_are_accepted(neutral: str) -> None:
    assert checked_stopping(composed(neutral)) == Stopping()


# Rule: a network of the stack begins as a fit alone would: the seed decides its weights.
def test_a_seed_gives_the_same_network() -> None:
    split = Split("kfold", 5, 0)
    one, again, other = (Fold.of(composed(), split, seed) for seed in (1, 1, 2))
    weights = [fold.member.network[0].weight for fold in (one, again, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
    assert one.member.seed == 1


def test_a_member_has_its_splits_data_at_once() -> None:
    fold = Fold.of(composed("cv.n_splits=5"), Split("kfold", 5, 0), 1)
    (x, y), validation = fold.member.train, fold.member.val
    assert validation is not None
    assert len(x) == len(y) == len(fold.data.train_indices)
    assert len(validation[0]) == len(fold.data.val_indices)
    # Normalised by the training part.
    assert x.mean().item() == pytest.approx(0, abs=1e-5)
    assert Fold.of(composed(), Split("none"), 1).member.val is None


def test_other_networks_and_data_are_refused() -> None:
    digits = DigitsDataModule(train_limit=100)
    with pytest.raises(UserError, match=r"got FCClassifier and DigitsDataModule; set cv\.parallel"):
        member_of(FCClassifier(input_shape=(1, 8, 8)), digits, 0, epochs=1)


def test_networks_that_classify_or_embed_categories_are_refused() -> None:
    data = CurveDataModule()
    data.setup("fit")
    with pytest.raises(UserError, match=r"got MLPClassifier and CurveDataModule; set cv\.parallel"):
        member_of(MLPClassifier(), data, 0, epochs=1)
    with pytest.raises(UserError, match=r"numbers alone, got cardinalities=\(3,\).*cv\.parallel"):
        member_of(MLPRegressor(cardinalities=(3,)), data, 0, epochs=1)


def test_data_in_several_batches_are_refused() -> None:
    data = CurveDataModule(batch_size=16)
    data.setup("fit")
    n = len(data.train_indices)
    with pytest.raises(UserError, match=f"see all {n} training samples at once, got data.batch_"):
        member_of(MLPRegressor(input_shape=(1,)), data, 0, epochs=1)


# Rule: trials of one stack may differ in model, optimizer and seed, and in nothing else.
def test_trials_of_one_stack_share_the_rest() -> None:
    require_alike([composed(), composed("seed=3", "optimizer.lr=0.5", "model.dropout=0.5")])
    with pytest.raises(UserError, match="must share trainer, got max_epochs=7 and max_epochs=9"):
        require_alike([composed("trainer.max_epochs=7"), composed("trainer.max_epochs=9")])
    with pytest.raises(UserError, match="must share mode, got min and max; set hydra/launcher"):
        require_alike([composed(), composed(), composed("mode=max")])
