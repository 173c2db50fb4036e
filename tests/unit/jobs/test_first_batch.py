"""One batch of a real fit: it sees its full length, and leaves nothing behind."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hydra import initialize_config_dir
from small_configs import prepared

from lightning_hpo.entry import config_dir
from lightning_hpo.flavour import pl

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:(pytorch_)?lightning")
CSV = "{_target_: pytorch_lightning.loggers.CSVLogger, save_dir: SAVE_DIR}"
RATE = "{_target_: pytorch_lightning.callbacks.LearningRateMonitor, logging_interval: epoch}"


@pytest.fixture(autouse=True)
def _hydra() -> Iterator[None]:
    with initialize_config_dir(str(config_dir())):
        yield


class Seen(pl.Callback):
    """Notes the length of the fit that a schedule sees, and how much of it runs."""

    of_all: dict[str, float]

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        run = trainer.fit_loop.epoch_loop.total_batch_idx + 1
        type(self).of_all = {"planned": trainer.estimated_stepping_batches, "run": run}


@pytest.mark.parametrize("more", [[], ["scheduler=one_cycle"], ["model.steps_per_call=epoch"]])
def test_one_batch_of_a_fit_of_full_length_that_leaves_nothing(tmp_path: Path, more) -> None:
    logs = f"+trainer.logger={CSV.replace('SAVE_DIR', str(tmp_path / 'mylogs'))}"
    facts = prepared(tmp_path, f"+callbacks.seen={{_target_: {__name__}.Seen}}", logs, *more)
    assert Seen.of_all["run"] == 1
    # 180 training samples in batches of 64, two epochs; a whole epoch in one call is cut short.
    assert Seen.of_all["planned"] == (2 if "model.steps_per_call=epoch" in more else 6)
    assert (facts.data_name, facts.n_samples) == ("digits", 1437)
    assert "optimizer" not in facts.unread
    assert not list(tmp_path.iterdir())


class Validated(pl.Callback):
    """Notes of how many samples each validation batch is."""

    sizes: list[int]

    def on_validation_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs, batch, *_: int
    ) -> None:
        self.sizes.append(len(batch[1]))


# Rule: of the 20 samples that validate, a rehearsal takes no more at a time than it trains on.
def test_the_validation_is_no_longer_than_the_training(tmp_path: Path) -> None:
    Validated.sizes = []
    prepared(tmp_path, f"+callbacks.seen={{_target_: {__name__}.Validated}}", "data.batch_size=8")
    assert Validated.sizes == [8]


def test_a_rate_monitor_and_rare_validations_pass(tmp_path: Path) -> None:
    often = ["trainer.max_epochs=3", "+trainer.check_val_every_n_epoch=3", "+trainer.min_epochs=2"]
    assert prepared(tmp_path, f"+callbacks.rate={RATE}", *often).data_name == "digits"
    assert prepared(tmp_path, "+trainer.max_steps=3", "+trainer.max_time=00:00:00:00")
