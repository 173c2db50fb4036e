"""Rules of the base regressor: what is logged, shapes, optimizer."""

from functools import partial
from pathlib import Path

import pytest
import torch
from quiet import quiet_trainer
from torch import Tensor, nn

from lightning_hpo.data.curve import CurveDataModule
from lightning_hpo.errors import UserError
from lightning_hpo.flavour import pl
from lightning_hpo.models.regression import BaseRegressor

# Lightning's advice on loaders and idle hardware, and deprecations inside it, are not our subject.
pytestmark = [
    pytest.mark.filterwarnings("ignore::UserWarning:(pytorch_)?lightning"),
    pytest.mark.filterwarnings("ignore::FutureWarning:(pytorch_)?lightning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:(pytorch_)?lightning"),
]


class Line(BaseRegressor):
    """A user's own regressor: a network and nothing else."""

    def __init__(self, *, inputs: int = 1, **options: object) -> None:
        super().__init__(**options)
        self.layer = nn.Linear(inputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x).squeeze(1)


def tiny_trainer(tmp_path: Path, **options: object) -> pl.Trainer:
    defaults: dict = {"max_epochs": 2, "default_root_dir": tmp_path}
    return quiet_trainer(**(defaults | options))


def mean_squared_error(model: nn.Module, data: CurveDataModule, stage: str) -> float:
    x, y = data.raw(stage)
    with torch.no_grad():
        errors = model.eval()(data.normalised(x)) - y
    return errors.square().mean().item()


def test_the_losses_are_mean_squared_errors_over_samples(tmp_path: Path) -> None:
    # Batches of unequal size: a mean over batches would differ from the mean over samples. With a
    # learning rate of zero the mean over the epoch is the loss on the whole training split.
    data = CurveDataModule(batch_size=7, eval_batch_size=7)
    model, trainer = Line(optimizer=partial(torch.optim.SGD, lr=0.0)), tiny_trainer(tmp_path)
    trainer.fit(model, datamodule=data)
    fitted = {key: value.item() for key, value in trainer.callback_metrics.items()}
    expected = {
        f"{stage}/loss": mean_squared_error(model, data, stage) for stage in ("train", "val")
    }
    assert fitted == pytest.approx(expected)
    (tested,) = trainer.test(model, datamodule=data, verbose=False)
    assert tested == pytest.approx({"test/loss": mean_squared_error(model, data, "test")})


def test_predictions_are_one_number_a_sample(tmp_path: Path) -> None:
    data, model = CurveDataModule(), Line()
    (predicted,) = tiny_trainer(tmp_path).predict(model, datamodule=data)
    assert predicted.shape == (100,)
    assert torch.equal(predicted, model.eval()(data.normalised(data.raw("test")[0])))


def test_targets_that_would_broadcast_are_refused() -> None:
    batch = torch.randn(4, 1), torch.randn(4, 1)
    with pytest.raises(UserError, match=r"got \(4,\) and \(4, 1\); both should be \(B,\)"):
        Line().training_step(batch, 0)


def test_a_nan_loss_reaches_the_monitor(tmp_path: Path) -> None:
    model = Line()
    nn.init.constant_(model.layer.bias, float("nan"))
    (logged,) = tiny_trainer(tmp_path).validate(model, datamodule=CurveDataModule(), verbose=False)
    assert logged["val/loss"] != logged["val/loss"]


def test_the_optimizer_is_the_given_one_and_no_hyperparameter() -> None:
    model = Line(inputs=2, optimizer=partial(torch.optim.SGD, lr=0.5))
    assert type(model.configure_optimizers()) is torch.optim.SGD
    assert dict(model.hparams) == {"inputs": 2}
    assert type(Line().configure_optimizers()) is torch.optim.Adam
