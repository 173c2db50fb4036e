"""The refit rehearsed: what needs a validation is found before a search, by a fit of one batch."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from torch.optim.lr_scheduler import ReduceLROnPlateau

from lightning_hpo.data.digits import DigitsDataModule
from lightning_hpo.data.folds import Split
from lightning_hpo.entry import config_dir
from lightning_hpo.errors import UserError
from lightning_hpo.flavour import pl
from lightning_hpo.jobs.rehearsal import rehearse_refit


class Plateau(pl.LightningModule):
    """Somebody's classifier with a schedule on its validation, looked at every few epochs."""

    def __init__(self, every: int = 1, monitor: str = "loss_val") -> None:
        super().__init__()
        self.every, self.monitor = every, monitor
        self.network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10))

    def loss(self, batch: Any) -> torch.Tensor:
        return torch.nn.functional.cross_entropy(self.network(batch[0]), batch[1])

    def training_step(self, batch, batch_idx):
        loss = self.loss(batch)
        self.log("my_loss", loss)
        return loss

    def validation_step(self, batch, batch_idx):
        self.log("loss_val", self.loss(batch))

    def configure_optimizers(self):
        optimizer = torch.optim.SGD(self.parameters(), lr=0.1)
        schedule = {
            "scheduler": ReduceLROnPlateau(optimizer),
            "monitor": self.monitor,
            "frequency": self.every,
        }
        return {"optimizer": optimizer, "lr_scheduler": schedule}


class ReadsValidation(pl.Callback):
    def on_train_epoch_end(self, trainer, pl_module):
        self.seen = float(trainer.callback_metrics["loss_val"])


class AlwaysFails(pl.Callback):
    def on_train_end(self, trainer, pl_module):
        raise RuntimeError("no room for the picture")


@pytest.fixture(autouse=True)
def _hydra() -> Iterator[None]:
    with initialize_config_dir(str(config_dir())):
        yield


def rehearsed(
    model: type | None = None,
    *callbacks: type,
    refit_validates: bool | None = None,
    **arguments: Any,
) -> str | None:
    cfg = compose("config", overrides=["data=digits", "trainer.accelerator=cpu"])
    OmegaConf.set_struct(cfg, False)
    if model is not None:
        cfg.model = {"_target_": f"{__name__}.{model.__name__}", **arguments}
    for kind in callbacks:
        cfg.callbacks[kind.__name__] = {"_target_": f"{__name__}.{kind.__name__}"}
    cfg.study.refit_validates = refit_validates
    data = DigitsDataModule(train_limit=100, split=Split())
    data.setup("fit")
    return rehearse_refit(cfg, data)


pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:(pytorch_)?lightning")


def test_nothing_of_our_own_needs_a_validation() -> None:
    assert rehearsed() is None


# Rule: a schedule on a training metric can do without one.
def test_a_schedule_that_watches_its_training_needs_none() -> None:
    assert rehearsed(Plateau, monitor="my_loss") is None


# Rule: also what comes to light only in a later epoch.
@pytest.mark.parametrize("every", [1, 3])
def test_a_schedule_that_watches_the_validation_is_found(every: int) -> None:
    reason = rehearsed(Plateau, every=every)
    assert reason is not None
    assert "ReduceLROnPlateau" in reason and "loss_val" in reason


def test_a_callback_that_reads_the_validation_is_found() -> None:
    assert rehearsed(Plateau, ReadsValidation, monitor="my_loss") == "KeyError: 'loss_val'"


def test_who_forbids_it_is_refused_with_the_way_out() -> None:
    with pytest.raises(UserError, match=r"needs it \(.*loss_val.*study.refit_validates=true"):
        rehearsed(Plateau, refit_validates=False)
    assert rehearsed(Plateau, refit_validates=True) is None


# Rule: what fails with a validation too is a mistake of its own.
def test_what_fails_either_way_is_refused() -> None:
    with pytest.raises(UserError, match="but: RuntimeError: no room for the picture"):
        rehearsed(Plateau, AlwaysFails, monitor="my_loss")
