"""Rules of the shared base: what is logged and when, optimizers, checkpoints, a second fit."""

from functools import partial
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from checkpoints import opened
from omegaconf import OmegaConf
from quiet import quiet_trainer
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from lightning_hpo.explain.seen import seen_in
from lightning_hpo.flavour import pl
from lightning_hpo.models.base import BaseClassifier, SampleMean
from lightning_hpo.models.cnn import CNNClassifier
from lightning_hpo.models.fc import FCClassifier

# Lightning's advice on loaders and idle hardware, and deprecations inside it, are not our subject.
pytestmark = [
    pytest.mark.filterwarnings("ignore::UserWarning:(pytorch_)?lightning"),
    pytest.mark.filterwarnings("ignore::FutureWarning:(pytorch_)?lightning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:(pytorch_)?lightning"),
]
KEYS = {"train/loss", "train/accuracy", "val/loss", "val/accuracy"}


def loader(n: int = 20, *, seed: int = 0, batch_size: int = 8) -> DataLoader:
    """``n`` random 1 x 8 x 8 images in three classes, in fixed order; the last batch is smaller."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n, 1, 8, 8, generator=generator)
    y = torch.randint(0, 3, (n,), generator=generator)
    return DataLoader(TensorDataset(x, y), batch_size=batch_size)


def tiny_trainer(tmp_path: Path, **options: object) -> pl.Trainer:
    defaults: dict = {"max_epochs": 2, "default_root_dir": tmp_path}
    return quiet_trainer(**(defaults | options))


def tiny_fc(**options: object) -> FCClassifier:
    torch.manual_seed(0)
    return FCClassifier(input_shape=(1, 8, 8), num_classes=3, neurons_1=6, neurons_2=5, **options)


class Recorder(pl.Callback):
    """Every metric of every epoch, as callbacks that watch a monitor see it."""

    def __init__(self) -> None:
        self.epochs: list[dict[str, float]] = []

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.current_epoch:
            self._record(trainer)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._record(trainer)

    def _record(self, trainer: pl.Trainer) -> None:
        self.epochs.append({key: value.item() for key, value in trainer.callback_metrics.items()})


def loss_and_accuracy(model: nn.Module, data: DataLoader) -> tuple[float, float]:
    x, y = data.dataset.tensors
    with torch.no_grad():
        logits = model.eval()(x)
    return F.cross_entropy(logits, y).item(), (logits.argmax(1) == y).float().mean().item()


def test_the_four_metrics_of_a_fit_are_logged(tmp_path: Path) -> None:
    trainer = tiny_trainer(tmp_path)
    trainer.fit(tiny_fc(), loader(), loader(seed=1))
    assert set(trainer.callback_metrics) == KEYS


def test_validation_metrics_weigh_samples_not_batches(tmp_path: Path) -> None:
    # Batches of 8, 8 and 4: a mean over batches would differ from the mean over samples.
    model, data = tiny_fc(), loader(seed=1)
    (logged,) = tiny_trainer(tmp_path).validate(model, data, verbose=False)
    loss, accuracy = loss_and_accuracy(model, data)
    assert logged == pytest.approx({"val/loss": loss, "val/accuracy": accuracy})


def test_test_metrics_have_their_own_keys(tmp_path: Path) -> None:
    model, data = tiny_fc(), loader(seed=1)
    (logged,) = tiny_trainer(tmp_path).test(model, data, verbose=False)
    loss, accuracy = loss_and_accuracy(model, data)
    assert logged == pytest.approx({"test/loss": loss, "test/accuracy": accuracy})


def test_training_metrics_are_those_of_the_whole_epoch(tmp_path: Path) -> None:
    # With a learning rate of zero the mean over the epoch is the loss on the whole set.
    model, data = tiny_fc(optimizer=partial(torch.optim.SGD, lr=0.0)), loader()
    trainer = tiny_trainer(tmp_path)
    trainer.fit(model, data, loader(seed=1))
    loss, accuracy = loss_and_accuracy(model, data)
    assert trainer.callback_metrics["train/loss"].item() == pytest.approx(loss)
    assert trainer.callback_metrics["train/accuracy"].item() == pytest.approx(accuracy)


def test_validation_within_an_epoch_leaves_the_training_metrics_alone(tmp_path: Path) -> None:
    recorders = [Recorder(), Recorder()]
    for recorder, interval in zip(recorders, (1, 3), strict=True):
        trainer = tiny_trainer(tmp_path, callbacks=[recorder], val_check_interval=interval)
        trainer.fit(tiny_fc(), loader(), loader(seed=1))
    often, once = recorders
    assert often.epochs == once.epochs
    assert len(once.epochs) == 2


def test_a_second_fit_with_the_same_module_starts_clean(tmp_path: Path) -> None:
    model = tiny_fc()
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    recorders = [Recorder(), Recorder()]
    for recorder in recorders:
        model.load_state_dict(weights)
        tiny_trainer(tmp_path, callbacks=[recorder]).fit(model, loader(), loader(seed=1))
    assert recorders[0].epochs == recorders[1].epochs


def test_callbacks_find_the_monitor_when_validation_ends(tmp_path: Path) -> None:
    seen: list[set[str]] = []

    class AtValidationEnd(pl.Callback):
        def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
            seen.append(set(trainer.callback_metrics))

    trainer = tiny_trainer(tmp_path, callbacks=[AtValidationEnd()], num_sanity_val_steps=0)
    trainer.fit(tiny_fc(), loader(), loader(seed=1))
    # Training metrics of an epoch appear after its validation.
    assert seen == [{"val/loss", "val/accuracy"}, KEYS]


def test_a_nan_loss_reaches_the_monitor(tmp_path: Path) -> None:
    model = tiny_fc()
    nn.init.constant_(model.classifier[-1].bias, float("nan"))
    (logged,) = tiny_trainer(tmp_path).validate(model, loader(), verbose=False)
    assert logged["val/loss"] != logged["val/loss"]


def test_label_smoothing_changes_the_training_loss_alone(tmp_path: Path) -> None:
    plain, smooth = tiny_fc(), tiny_fc(label_smoothing=0.2)
    batch = next(iter(loader()))
    logits = plain(batch[0])
    expected = F.cross_entropy(logits, batch[1], label_smoothing=0.2)
    assert smooth.training_step(batch, 0).item() == pytest.approx(expected.item())
    results = [
        tiny_trainer(tmp_path).validate(model, loader(), verbose=False) for model in (plain, smooth)
    ]
    assert results[0] == results[1]


def test_predictions_are_logits_with_or_without_labels(tmp_path: Path) -> None:
    model, data = tiny_fc(), loader(4)
    (logits,) = tiny_trainer(tmp_path).predict(model, data)
    assert torch.equal(logits, model.eval()(data.dataset.tensors[0]))
    assert torch.equal(model.predict_step(data.dataset.tensors[0], 0), logits)


def test_adam_is_the_default_optimizer() -> None:
    optimizer = tiny_fc().configure_optimizers()
    assert type(optimizer) is torch.optim.Adam
    assert optimizer.defaults["lr"] == 0.001


def test_the_given_factory_makes_the_optimizer() -> None:
    model = tiny_fc(optimizer=partial(torch.optim.SGD, lr=0.5, momentum=0.8))
    optimizer = model.configure_optimizers()
    assert type(optimizer) is torch.optim.SGD
    assert (optimizer.defaults["lr"], optimizer.defaults["momentum"]) == (0.5, 0.8)
    assert len(optimizer.param_groups[0]["params"]) == 6


def test_hyperparameters_are_plain_values_without_the_optimizer() -> None:
    shape = OmegaConf.create([1, 8, 8])
    model = CNNClassifier(input_shape=shape, optimizer=partial(torch.optim.SGD, lr=0.1))
    assert dict(model.hparams) == {
        "input_shape": (1, 8, 8),
        "num_classes": 10,
        "filters_1": 32,
        "filters_2": 64,
        "kernel_size": 3,
        "neurons_1": 128,
        "neurons_2": 64,
        "dropout": 0.0,
        "batch_norm": False,
        "init": "kaiming",
        "label_smoothing": 0.0,
        "test_time_flip": False,
    }
    assert type(model.hparams["input_shape"]) is tuple


def test_a_checkpoint_opens_without_arguments_as_weights_only(tmp_path: Path) -> None:
    model = CNNClassifier(
        input_shape=[1, 8, 8],
        num_classes=3,
        filters_1=2,
        filters_2=3,
        optimizer=partial(torch.optim.RAdam, lr=0.01),
    )
    trainer = tiny_trainer(tmp_path, enable_checkpointing=True, limit_train_batches=2)
    trainer.fit(model, loader(), loader(seed=1))
    path = tmp_path / "model.ckpt"
    trainer.save_checkpoint(path)
    loaded = opened(CNNClassifier, path)
    x = torch.randn(2, 1, 8, 8)
    assert torch.equal(loaded.eval()(x), model.eval()(x))
    assert CNNClassifier.load_from_checkpoint(path).hparams == model.hparams


def test_a_user_s_subclass_needs_a_network_and_nothing_else(tmp_path: Path) -> None:
    class Linear(BaseClassifier):
        def __init__(self, *, scale: float = 1.0, **options: object) -> None:
            super().__init__(**options)
            self.scale = scale
            self.layer = nn.Linear(64, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.scale * self.layer(x.flatten(1))

    factory = partial(torch.optim.SGD, lr=0.1)
    model = Linear(scale=2.0, num_classes=3, optimizer=factory)
    trainer = tiny_trainer(tmp_path)
    trainer.fit(model, loader(), loader(seed=1))
    assert set(trainer.callback_metrics) == KEYS
    assert "optimizer" not in model.hparams
    trainer.save_checkpoint(tmp_path / "model.ckpt")
    loaded = Linear.load_from_checkpoint(tmp_path / "model.ckpt")
    assert (loaded.scale, loaded.layer.out_features) == (2.0, 3)


def test_a_sample_mean_weighs_and_keeps_nan() -> None:
    mean = SampleMean()
    mean.update(torch.tensor(1.0), 3)
    mean.update(torch.tensor(0.0), 1)
    assert mean.compute().item() == 0.75
    mean.reset()
    mean.update(torch.tensor(float("nan")), 2)
    assert mean.compute().isnan()


# Rule: with test_time_flip what counts is the mean of the logits of an image and its mirror image;
# training, and forward itself, do not change.
def test_an_image_is_evaluated_with_its_mirror_image(tmp_path: Path) -> None:
    plain, flipping = tiny_fc(), tiny_fc(test_time_flip=True)
    data = loader(seed=1)
    x, y = data.dataset.tensors
    with torch.no_grad():
        expected = (plain.eval()(x) + plain(torch.flip(x, dims=(3,)))) / 2
        assert torch.equal(flipping.eval()(x), plain(x))
    trainer = tiny_trainer(tmp_path)
    (logged,) = trainer.test(flipping, data, verbose=False)
    assert logged["test/loss"] == pytest.approx(F.cross_entropy(expected, y).item(), rel=1e-6)
    assert logged["test/accuracy"] == pytest.approx((expected.argmax(1) == y).float().mean().item())
    torch.testing.assert_close(torch.cat(trainer.predict(flipping, data)), expected)
    outputs = [batch.outputs for batch in seen_in(flipping, object(), data)]
    torch.testing.assert_close(torch.cat(outputs), expected)
    assert flipping.hparams.test_time_flip is True


def test_flips_at_the_test_leave_training_alone(tmp_path: Path) -> None:
    weights = []
    for test_time_flip in (False, True):
        model = tiny_fc(test_time_flip=test_time_flip, dropout=0.3)
        torch.manual_seed(1)
        tiny_trainer(tmp_path).fit(model, loader(), loader(seed=1))
        weights.append(model.classifier[1].weight)
    assert torch.equal(*weights)
