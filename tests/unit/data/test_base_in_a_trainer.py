"""The base data module in a Trainer's hands: order, epochs, stages, devices."""

from inspect import signature
from pathlib import Path

import pytest
import torch
from made import Made, N, Recorder, ready, trainer
from torch import Tensor

from lightning_hpo.data.folds import Split
from lightning_hpo.flavour import pl


def test_the_trainer_shuffles_anew_each_epoch_and_repeats_itself() -> None:
    data = Made(batch_size=8)
    runs = []
    for _ in range(2):  # a fresh Trainer and module on the same data module
        module = Recorder(data)
        trainer(3).fit(module, datamodule=data)
        runs.append(module.epochs)
    fresh = Made(batch_size=8)
    module = Recorder(fresh)
    trainer(3).fit(module, datamodule=fresh)
    assert runs[0] == runs[1] == module.epochs
    assert len({tuple(epoch) for epoch in runs[0]}) == 3
    assert all(sorted(epoch) == data.train_indices.tolist() for epoch in runs[0])
    assert data.n_loads == 1


def test_the_trainer_gets_the_loaders_own_epochs() -> None:
    data = Made(batch_size=8)
    module = Recorder(data)
    trainer(2).fit(module, datamodule=data)
    loader = data.train_dataloader()
    loader.prepare = Tensor.float
    assert module.epochs == [[int(v) for x, _ in loader for v in x[:, 0, 0, 0]] for _ in range(2)]


def test_a_resumed_fit_goes_on_with_the_next_epochs_order(tmp_path: Path) -> None:
    whole = Made(batch_size=8)
    uninterrupted = Recorder(whole)
    trainer(3).fit(uninterrupted, datamodule=whole)

    data = Made(batch_size=8)
    first = trainer(1)
    first.fit(Recorder(data), datamodule=data)
    first.save_checkpoint(tmp_path / "epoch.ckpt")
    resumed_data = Made(batch_size=8)
    resumed = Recorder(resumed_data)
    again = trainer(3)
    # Lightning before 2.6 has no such argument, and warns of nothing without it.
    how = {"weights_only": True} if "weights_only" in signature(again.fit).parameters else {}
    again.fit(resumed, datamodule=resumed_data, ckpt_path=tmp_path / "epoch.ckpt", **how)
    assert resumed.epochs == uninterrupted.epochs[1:]


@pytest.mark.filterwarnings("ignore:Total length of `list`")
@pytest.mark.parametrize("limit_val_batches", [None, 0])
def test_the_trainer_accepts_no_validation_split(limit_val_batches: int | None) -> None:
    # Lightning warns of the empty list of loaders, unless it is told not to validate.
    data = Made(split=Split(method="none"))
    module = Recorder(data)
    trainer(1, limit_val_batches=limit_val_batches).fit(module, datamodule=data)
    assert sorted(module.epochs[0]) == list(range(N))


def test_the_trainer_may_evaluate_on_the_training_batches() -> None:
    data = ready()
    runner = trainer(1)
    runner.validate(Recorder(data), dataloaders=data.train_dataloader(), verbose=False)
    assert abs(runner.callback_metrics["val/loss"].item()) < 1e-6


def test_the_trainer_validates_tests_and_predicts() -> None:
    data = Made(eval_batch_size=4)
    module, runner = Recorder(data), trainer(1)
    runner.fit(module, datamodule=data)
    assert "val/loss" in runner.callback_metrics
    runner.test(module, datamodule=data, verbose=False)
    assert "test/loss" in runner.callback_metrics
    predicted = runner.predict(module, datamodule=data)
    assert predicted is not None
    assert [len(batch) for batch in predicted] == [4, 4, 2]
    assert data.n_loads == 1


# Lightning remarks that the second Trainer leaves the GPU unused.
@pytest.mark.gpu
@pytest.mark.filterwarnings("ignore:GPU available but not used")
def test_tensors_live_on_the_trainers_gpu() -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    data = Made(batch_size=8)
    runner = pl.Trainer(accelerator="gpu", devices=1, max_epochs=1, logger=False)
    module = Recorder(data)
    runner.fit(module, datamodule=data)
    assert data.train_indices.device.type == "cuda"
    assert data.train_dataloader().x.device.type == "cuda"
    on_cpu = Recorder(other := Made(batch_size=8))
    trainer(1).fit(on_cpu, datamodule=other)
    assert module.epochs == on_cpu.epochs  # the order does not depend on the device
