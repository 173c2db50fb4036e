"""Weight averaging: what validates, tests and is saved is the average; training goes on without."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from quiet import quiet_trainer
from torch import Tensor

from lightning_hpo.callbacks.averaging import AveragedWeights
from lightning_hpo.callbacks.reporting import BestEpoch
from lightning_hpo.data.digits import DigitsDataModule
from lightning_hpo.errors import UserError
from lightning_hpo.flavour import pl
from lightning_hpo.models.fc import FCClassifier

pytestmark = [
    pytest.mark.filterwarnings("ignore::UserWarning:(pytorch_)?lightning"),
    pytest.mark.skipif(
        not hasattr(pl.callbacks, "WeightAveraging"),
        reason="Lightning before 2.6 averages no weights",
    ),
]


class Weights(pl.Callback):
    """The output layer's bias after each optimizer step, and as validation sees it."""

    def __init__(self) -> None:
        self.trained: list[Tensor] = []
        self.validated: list[Tensor] = []

    def on_train_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if pl_module.automatic_optimization:
            self.on_minibatch_end(trainer, pl_module)

    def on_minibatch_end(self, trainer: Any, pl_module: Any) -> None:
        self.trained.append(pl_module.classifier[-1].bias.detach().clone())

    def on_validation_batch_start(
        self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        self.validated.append(pl_module.classifier[-1].bias.detach().clone())


def fit(*callbacks: pl.Callback, **options: Any) -> tuple[pl.Trainer, FCClassifier]:
    """Two epochs of five steps each."""
    torch.manual_seed(0)
    model = FCClassifier(
        input_shape=(1, 8, 8), neurons_1=8, neurons_2=8, batch_norm=True, dropout=0.1, **options
    )
    trainer = quiet_trainer(
        max_epochs=2,
        num_sanity_val_steps=0,
        callbacks=list(callbacks),
    )
    trainer.fit(model, datamodule=DigitsDataModule(train_limit=180, batch_size=34))
    return trainer, model


def averages(weights: list[Tensor], decay: float) -> list[Tensor]:
    """By hand: the first is taken over, later ones keep min(decay, (1 + n) / (10 + n))."""
    found = [weights[0]]
    for n, weight in enumerate(weights[1:], start=1):
        keep = min(decay, (1 + n) / (10 + n))
        found.append(keep * found[-1] + (1 - keep) * weight)
    return found


@pytest.mark.parametrize("steps_per_call", [1, 3, "epoch"])
@pytest.mark.parametrize("decay", [0.0, 0.3, 0.999])
def test_validation_and_the_end_see_the_average_of_every_step(
    steps_per_call: Any, decay: float
) -> None:
    weights = Weights()
    _, model = fit(AveragedWeights(decay=decay), weights, steps_per_call=steps_per_call)
    expected = averages(weights.trained, decay)
    assert len(expected) == 10
    torch.testing.assert_close(weights.validated, [expected[4], expected[9]])
    torch.testing.assert_close(model.classifier[-1].bias.detach(), expected[9])


def test_training_itself_does_not_notice() -> None:
    plain, averaged = Weights(), Weights()
    fit(plain)
    fit(AveragedWeights(), averaged)
    torch.testing.assert_close(plain.trained, averaged.trained)


def test_the_best_value_and_the_checkpoint_are_the_averages(tmp_path: Path) -> None:
    best = BestEpoch(monitor="val/loss", mode="min")
    trainer, model = fit(AveragedWeights(decay=0.5), best)
    data: Any = trainer.datamodule
    (after,) = trainer.validate(model, datamodule=data, verbose=False)
    assert best.epoch == 1
    assert best.value == pytest.approx(after["val/loss"])
    trainer.save_checkpoint(tmp_path / "model.ckpt", weights_only=True)
    loaded = FCClassifier.load_from_checkpoint(tmp_path / "model.ckpt", weights_only=True)
    torch.testing.assert_close(loaded.state_dict(), model.state_dict())


def test_running_statistics_are_averaged_and_counts_are_taken_over() -> None:
    _, model = fit(AveragedWeights(decay=0.9))
    _, plain = fit()
    ours, theirs = model.classifier[2], plain.classifier[2]
    assert ours.num_batches_tracked.item() == theirs.num_batches_tracked.item() == 10
    assert not torch.equal(ours.running_mean, theirs.running_mean)


def test_a_second_fit_starts_a_new_average() -> None:
    callback, ends = AveragedWeights(), []
    for _ in range(2):
        _, model = fit(callback, optimizer=partial(torch.optim.SGD, lr=0.1))
        ends.append(model.state_dict())
    torch.testing.assert_close(ends[0], ends[1])


@pytest.mark.parametrize("decay", [-0.1, 1.0])
def test_a_decay_out_of_range_is_refused(decay: float) -> None:
    with pytest.raises(UserError, match=rf"decay must lie in \[0, 1\), got {decay}"):
        AveragedWeights(decay=decay)
