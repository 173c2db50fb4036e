"""The preparation rehearses a fit: what no trial could do is one line while the study is empty."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hydra import initialize_config_dir
from small_configs import composed, prepared

from lightning_hpo.entry import config_dir
from lightning_hpo.errors import UserError
from lightning_hpo.flavour import pl
from lightning_hpo.jobs.preflight import run_preflight
from lightning_hpo.protocol.messages import JobContext

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:(pytorch_)?lightning")
CHECKPOINT = "{_target_: pytorch_lightning.callbacks.ModelCheckpoint, monitor: val/los}"


@pytest.fixture(autouse=True)
def _hydra() -> Iterator[None]:
    with initialize_config_dir(str(config_dir())):
        yield


class OnlyTrains(pl.LightningModule):
    """Logs its monitor in training and has no validation_step."""

    def __init__(self, lr: float = 0.1) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(64, 10)

    def training_step(self, batch, batch_idx):
        x, y = batch
        loss = torch.nn.functional.cross_entropy(self.layer(x.flatten(1)), y)
        self.log("val/loss", loss)
        return loss

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


class Validates(OnlyTrains):
    def validation_step(self, batch, batch_idx):
        self.training_step(batch, batch_idx)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ([f"+callbacks.c={CHECKPOINT}"], r"Lightning refuses the configuration: .*val/los"),
        (["+trainer.limit_val_batches=0"], "needs a validation, but none ran"),
        (["+trainer.check_val_every_n_epoch=3"], "n_epoch=3 is above trainer.max_epochs=2"),
        (["+trainer.max_steps=2"], "max_steps=2 ends a fit before the first one, after 3 steps"),
        (["+trainer.callbacks=[{_target_: no.such.Thing}]"], "no.such.Thing"),
        (["study.objectives={val/acc: maximize}"], "'val/acc'; .*Did you mean 'val/accuracy'"),
        (
            ["monitor=val/los"],
            r"'val/los' was not logged; available: \['val/accuracy', 'val/loss'\]",
        ),
    ],
)
def test_what_no_trial_could_do(tmp_path: Path, overrides, message) -> None:
    with pytest.raises(UserError, match=message):
        prepared(tmp_path, *overrides)


def test_a_module_of_ones_own_must_validate_and_is_told_what_it_does_not_read(tmp_path) -> None:
    cfg = composed()
    cfg.model = {"_target_": f"{__name__}.OnlyTrains"}
    with pytest.raises(UserError, match="needs a validation, but none ran"):
        run_preflight(cfg, JobContext(tmp_path))
    cfg.model = {"_target_": f"{__name__}.Validates", "lr": 0.1}
    assert "(model.lr)" in run_preflight(cfg, JobContext(tmp_path)).unread["optimizer"]
