"""What can be trained as a stack, and that all else is named rather than trained wrongly."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

from lightning_hpo.data.folds import Split
from lightning_hpo.entry import config_dir
from lightning_hpo.errors import UserError
from lightning_hpo.fitting.stackable import (
    Fold,
    checked_stopping,
    epochs_per_step,
    require_alike,
    require_alike_steps,
)
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
        (["cv.epochs_per_step=0"], "at least 1 or auto, got cv.epochs_per_step=0"),
        (["cv.epochs_per_step=many"], "at least 1 or auto, got cv.epochs_per_step=many"),
        (["trainer.precision=16-mixed"], "do not know trainer.precision=16-mixed"),
        (["+trainer.gradient_clip_val=0.5"], "do not know trainer.gradient_clip_val=0.5"),
        (["+trainer.accumulate_grad_batches=2"], "do not know trainer.accumulate_grad_batches=2"),
        (["+trainer.max_steps=9"], "do not know trainer.max_steps=9"),
        (["+trainer.limit_val_batches=0"], "do not know trainer.limit_val_batches=0"),
        (["++trainer.enable_checkpointing=true"], "loggers of their own and no checkpoints"),
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


# Rule: with auto, epochs of a single step come in fifties, those of minibatches one by one.
@pytest.mark.parametrize(
    ("asked", "steps", "epochs"), [("auto", 1, 50), ("auto", 23, 1), ("7", 1, 7), ("7", 23, 7)]
)
def test_epochs_that_are_trained_at_a_time(asked: str, steps: int, epochs: int) -> None:
    member: Any = SimpleNamespace(steps_per_epoch=steps)
    assert epochs_per_step(composed(f"cv.epochs_per_step={asked}"), member) == epochs


def test_networks_of_different_numbers_of_steps_are_refused() -> None:
    members: list[Any] = [SimpleNamespace(steps_per_epoch=steps) for steps in (3, 2, 3)]
    require_alike_steps(members[::2])
    with pytest.raises(UserError, match="got 2 and 3 of different folds; set another data"):
        require_alike_steps(members)


# Rule: trials of one stack may differ in model, optimizer and seed, and in nothing else.
def test_trials_of_one_stack_share_the_rest() -> None:
    require_alike([composed(), composed("seed=3", "optimizer.lr=0.5", "model.dropout=0.5")])
    with pytest.raises(UserError, match="must share trainer, got max_epochs=7 and max_epochs=9"):
        require_alike([composed("trainer.max_epochs=7"), composed("trainer.max_epochs=9")])
    with pytest.raises(UserError, match="must share mode, got min and max; set hydra/launcher"):
        require_alike([composed(), composed(), composed("mode=max")])
