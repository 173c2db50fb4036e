"""What a configuration gives: schedules, weight averaging, precision and blocks, as a user asks."""

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig
from torch import Tensor
from torch.optim.lr_scheduler import LambdaLR

from lightning_hpo.callbacks.averaging import AveragedWeights
from lightning_hpo.data.folds import Split
from lightning_hpo.data.held import Held
from lightning_hpo.entry import config_dir
from lightning_hpo.errors import UserError
from lightning_hpo.fitting import build
from lightning_hpo.flavour import pl


class Kept:
    """Keeps what it was given."""

    def __init__(self, *, neurons, init, input_shape, optimizer) -> None:
        vars(self).update(neurons=neurons, init=init, input_shape=input_shape, optimizer=optimizer)


class Shuffled(pl.LightningDataModule):
    """Splits its samples anew in each setup, without a generator."""

    def setup(self, stage: str) -> None:
        self.order = torch.randperm(50).tolist()


class AsksItsTrainer(pl.LightningDataModule):
    def setup(self, stage: str) -> None:
        assert self.trainer is not None
        self.per_device = 32 // self.trainer.world_size


@pytest.fixture(autouse=True)
def _hydra() -> Iterator[None]:
    with initialize_config_dir(str(config_dir())):
        yield


def composed(*overrides: str) -> DictConfig:
    return compose("config", overrides=["data=digits", "data.train_limit=100", *overrides])


def fitted(cfg: DictConfig, folder: Path) -> tuple[pl.Trainer, Any]:
    torch.manual_seed(0)
    data = build.data_module(cfg, Split())
    module = build.module(cfg, data)
    callbacks = build.callbacks(cfg, with_validation=True)
    trainer = build.trainer(cfg, folder, callbacks, max_epochs=2, accelerator="cpu")
    trainer.fit(module, datamodule=data)
    return trainer, module


@pytest.mark.skipif(
    not hasattr(pl.callbacks, "WeightAveraging"), reason="Lightning before 2.6 averages no weights"
)
@pytest.mark.filterwarnings("ignore::UserWarning:(pytorch_)?lightning")
def test_everything_good_together_in_one_fit(tmp_path: Path) -> None:
    cfg = composed(
        "scheduler=one_cycle",
        "callbacks=[weight_averaging]",
        "augment=standard",
        "augment.mode=append",
        "trainer.precision=bf16-mixed",
        "model.batch_norm=true",
        "model.steps_per_call=epoch",
        "model.label_smoothing=0.1",
    )
    trainer, module = fitted(cfg, tmp_path)
    (schedule,) = (config.scheduler for config in trainer.lr_scheduler_configs)
    assert isinstance(schedule, LambdaLR)
    # 90 images and a copy of each in batches of 64: three steps in each of two epochs.
    assert schedule.last_epoch == 6
    assert [type(c) for c in trainer.callbacks if isinstance(c, AveragedWeights)]
    assert trainer.callback_metrics["val/loss"].isfinite()
    assert {parameter.dtype for parameter in module.parameters()} == {torch.float32}


@pytest.mark.filterwarnings("ignore::UserWarning:(pytorch_)?lightning")
def test_without_a_schedule_the_rate_stays(tmp_path: Path) -> None:
    trainer, _ = fitted(composed("callbacks=[none]"), tmp_path)
    assert trainer.lr_scheduler_configs == []
    assert trainer.optimizers[0].param_groups[0]["lr"] == 0.001


def test_a_schedule_that_the_model_cannot_take_is_refused() -> None:
    cfg = composed("scheduler=cosine")
    data = build.data_module(cfg, Split())
    cfg.model = {"_target_": "torch.nn.Linear", "in_features": 1, "out_features": 1}
    with pytest.raises(UserError, match=r"Linear must take the argument 'scheduler'.*=none"):
        build.module(cfg, data)


def test_a_module_gets_plain_containers() -> None:
    # It may save them in its checkpoint, which opens with weights_only: no OmegaConf in there.
    cfg = composed()
    cfg.model = {"_target_": f"{__name__}.Kept", "neurons": {"layer_1": 8}, "init": ["a"]}
    data = build.data_module(cfg, Split())
    data.setup()
    given = vars(build.module(cfg, data))
    assert given["neurons"] == {"layer_1": 8} and type(given["neurons"]) is dict
    assert given["init"] == ["a"] and type(given["init"]) is list
    assert given["input_shape"] == (1, 8, 8) and type(given["input_shape"]) is tuple
    assert given["optimizer"].keywords == {"lr": 0.001, "weight_decay": 0.0}


# Rule: trials, whose fits have seeds of their own, see the same data; a study's seed decides them.
def test_data_are_drawn_by_the_studys_seed_and_the_fit_by_its_own() -> None:
    def order_and_weights(fit_seed: int, *overrides: str) -> tuple[list[int], float]:
        cfg = composed(*overrides)
        cfg.data = {"_target_": f"{__name__}.Shuffled"}
        pl.seed_everything(fit_seed, verbose=False)
        data: Any = build.data_module(cfg, Split("own"))
        weight = float(torch.rand(1))
        # As a Trainer does once more.
        data.setup("fit")
        return data.order, weight

    order, weight = order_and_weights(1)
    other, other_weight = order_and_weights(2)
    assert order == other and weight != other_weight
    pl.seed_everything(1, verbose=False)
    assert weight == float(torch.rand(1))
    assert order_and_weights(1, "seed=5")[0] != order


# Rule: a training seed decides the order of the training batches and what augmentation makes of
# them, and leaves alone which samples there are; a seed that the configuration gives the data wins.
@pytest.mark.parametrize("mode", ["on_the_fly", "append"])
def test_a_training_seed_orders_and_augments_alone(mode: str) -> None:
    augmented = ["augment=standard", f"augment.mode={mode}"]

    def seen(training_seed: int | None, *overrides: str) -> tuple[Tensor, Tensor]:
        cfg = composed("data=digits", "data.train_limit=100", *augmented, *overrides)
        data: Any = build.data_module(cfg, Split(), training_seed=training_seed)
        x = torch.cat([x for x, _ in data.train_dataloader()])
        return x, data.train_indices

    (x, indices), (same, _), (other, other_indices) = seen(None), seen(0), seen(1)
    assert torch.equal(x, same)  # the study's seed is 0
    assert torch.equal(indices, other_indices)
    assert not torch.equal(x, other)
    ordered = [samples.flatten(1).sum(1).sort().values for samples in (x, other)]
    assert not torch.allclose(*ordered)  # augmented in another way, not only in another order
    assert torch.equal(seen(1, "+data.seed=5")[0], seen(2, "+data.seed=5")[0])


def test_augmentation_that_the_data_do_not_take_is_refused() -> None:
    cfg = composed("augment=standard")
    cfg.data = {"_target_": f"{__name__}.Shuffled"}
    with pytest.raises(UserError, match=r"Shuffled must take the argument 'augment'.*augment=none"):
        build.data_module(cfg, Split())


def test_a_split_of_the_datas_own_serves_no_cross_validation() -> None:
    cfg = composed("+data.split={method: holdout}")
    build.data_module(cfg, Split())
    with pytest.raises(UserError, match=r"data.split is given .* cv=holdout cv.final=false"):
        build.data_module(cfg, Split(method="kfold"))


def test_a_data_module_may_ask_its_trainer() -> None:
    cfg = composed("trainer.accelerator=cpu", "trainer.devices=2", "trainer.strategy=ddp_spawn")
    cfg.data = {"_target_": f"{__name__}.AsksItsTrainer"}
    data: Any = build.data_module(cfg, Split("own"))
    assert data.per_device == 16


SLURM = {
    "SLURM_JOB_ID": "17",
    "SLURM_JOB_NAME": "study",
    "SLURM_NTASKS": "4",
    "SLURM_PROCID": "2",
    "SLURM_LOCALID": "2",
    "SLURM_NODEID": "0",
    "SLURM_NODELIST": "node[3-4]",
}


@pytest.fixture
def _slurm(monkeypatch) -> None:
    for name, value in SLURM.items():
        monkeypatch.setenv(name, value)


# Rule: within a Slurm job a fit is a world of its own. What Lightning leaves when such a job is
# requeued is found by no other fit, and no fit has the whole job requeued.
@pytest.mark.filterwarnings("ignore::UserWarning:(pytorch_)?lightning")
@pytest.mark.usefixtures("_slurm")
def test_a_fit_in_a_slurm_job_is_alone_and_finds_no_other_ones_checkpoint(
    tmp_path: Path, monkeypatch
) -> None:
    trials = tmp_path / "trials"
    for folder in (tmp_path, trials, trials / "0"):
        folder.mkdir(exist_ok=True)
        # Would fail to load, if it were found.
        (folder / "hpc_ckpt_1.ckpt").write_bytes(b"of another fit")
    monkeypatch.chdir(tmp_path)
    before = signal.getsignal(signal.SIGUSR1)
    during: list[Any] = []

    class Looks(pl.Callback):
        def on_train_start(self, *_: Any) -> None:
            during.append(signal.getsignal(signal.SIGUSR1))

    cfg = composed("callbacks=none", "trainer.accelerator=cpu", "trainer.max_epochs=1")
    data = build.data_module(cfg, Split())
    trainer = build.trainer(cfg, trials / "1", [Looks()])
    trainer.fit(build.module(cfg, data), datamodule=data)
    assert (trainer.world_size, trainer.global_rank, trainer.current_epoch) == (1, 0, 1)
    assert during == [before]
    assert not list((trials / "1").rglob("*.ckpt"))


@pytest.mark.usefixtures("_slurm")
def test_an_environment_that_is_asked_for_by_name_stays(tmp_path: Path) -> None:
    environment = "pytorch_lightning.plugins.environments"
    own = f"+trainer.plugins=[{{_target_: {environment}.TorchElasticEnvironment}}]"
    cfg = composed(own, "trainer.accelerator=cpu")
    assert build._alone_in_the_world(cfg, {}) == {}
    cfg = composed(f"+trainer.plugins={{_target_: {__name__}.Synced}}")
    kinds = [type(plugin) for plugin in build._alone_in_the_world(cfg, {})["plugins"]]
    assert kinds == [Synced, pl.plugins.environments.LightningEnvironment]


class Synced(pl.plugins.LayerSync):
    def apply(self, model: Any) -> Any:
        return model

    def revert(self, model: Any) -> Any:
        return model


def test_outside_of_slurm_nothing_is_added(monkeypatch) -> None:
    monkeypatch.delenv("SLURM_NTASKS", raising=False)
    assert build._alone_in_the_world(composed(), {}) == {}


class SplitsItself(pl.LightningDataModule):
    def __init__(self, split: Split) -> None:
        super().__init__()


# Rule: nothing is held out where we cannot see to it; said before anything trains.
@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"_target_": f"{__name__}.SplitsItself"}, r"SplitsItself splits its samples itself"),
        (
            {"_target_": "lightning_hpo.data.digits.DigitsDataModule", "split": None},
            r"but data\.split is given \(None\); take it out, or leave out data\.lock_box",
        ),
    ],
)
def test_data_whose_split_is_not_ours_have_no_lock_box(data: dict, message: str) -> None:
    cfg = composed()
    cfg.data = {**data, "lock_box": 0.1}
    with pytest.raises(UserError, match=message):
        build.data_module(cfg, Split(held=Held(lock_box=0.1)))


def test_data_with_a_lock_box_must_be_handed_the_split() -> None:
    cfg = composed("study.hand_over=[seed]")
    with pytest.raises(UserError, match=r"held out must be handed 'split'.*leave out data\.lock"):
        build.data_module(cfg, Split(held=Held(lock_box=0.1)))
