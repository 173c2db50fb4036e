"""One fit of one network: its value, its seeds, and what it refuses."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

from lightning_hpo.data.digits import DigitsDataModule
from lightning_hpo.data.folds import Split
from lightning_hpo.entry import config_dir
from lightning_hpo.errors import UserError
from lightning_hpo.fitting.serial import fit
from lightning_hpo.protocol.messages import JobContext
from lightning_hpo.protocol.metrics import read_curves


class Splits(DigitsDataModule):
    """Splits without a generator of its own, whenever it is set up; notes what validates."""

    validating: list[list[int]] = []  # noqa: RUF012

    def setup(self, stage: str | None = None) -> None:
        super().setup(stage)
        self.train_indices, self.val_indices = torch.randperm(100).split([80, 20])
        self.validating.append(self.val_indices.tolist())


@pytest.fixture(autouse=True)
def _hydra() -> Iterator[None]:
    with initialize_config_dir(str(config_dir())):
        yield


def composed(*overrides: str) -> DictConfig:
    return compose("config", overrides=["data=digits", "data.train_limit=100", *overrides])


@pytest.mark.filterwarnings("ignore::UserWarning:(pytorch_)?lightning")
def test_trials_with_other_seeds_validate_on_the_same_samples(tmp_path: Path) -> None:
    cfg = composed("model=fc", "trainer.max_epochs=1", "trainer.accelerator=cpu")
    cfg.data._target_ = f"{__name__}.Splits"
    results = [fit(cfg, Split(), seed, JobContext(tmp_path / str(seed))) for seed in (1, 2)]
    # By us and by the Trainer, in each of two fits.
    assert len(Splits.validating) == 4
    assert Splits.validating[1:] == Splits.validating[:-1]
    # Their first weights differ.
    assert results[0].value != results[1].value


SMALL = ("model=fc", "model.neurons_1=8", "trainer.accelerator=cpu", "callbacks=none")


# Rule: a fit tells the best epoch's value, what was logged there and at the end, and its length.
@pytest.mark.filterwarnings("ignore::UserWarning:(pytorch_)?lightning")
def test_a_fit_tells_its_best_and_its_last_epoch(tmp_path: Path) -> None:
    cfg = composed(*SMALL, "trainer.max_epochs=3")
    result = fit(cfg, Split(), 1, JobContext(tmp_path))
    assert result.epochs == 3
    assert 0 <= result.best_epoch < 3
    assert result.value == pytest.approx(result.metrics["val/loss"])
    assert result.value <= result.last["val/loss"]
    assert {"train/loss", "val/loss", "train/accuracy", "val/accuracy"} <= set(result.last)
    assert result.stages["val/loss"] == "val" and result.stages["train/loss"] == "train"
    # 64 * 8 + 8; 8 * 128 + 128; 128 * 10 + 10.
    assert result.metrics["n_parameters"] == 520 + 1152 + 1290
    rows = read_curves(tmp_path / "metrics.csv")
    assert len(rows["val/loss"]) == 3
    assert min(rows["val/loss"]) == pytest.approx(result.value)
    assert result.curve.keys() == {"epoch", "val/loss", "val/accuracy"}
    assert result.curve["epoch"] == [0, 1, 2]
    assert result.curve["val/accuracy"] == pytest.approx(rows["val/accuracy"])
    assert result.curve["val/loss"][result.best_epoch] == result.value
    assert result.curve["val/loss"][-1] == result.last["val/loss"]


# Rule: the seed decides the fit to the last bit, whatever was drawn before.
@pytest.mark.filterwarnings("ignore::UserWarning:(pytorch_)?lightning")
def test_a_seed_gives_the_same_value_to_the_last_bit(tmp_path: Path) -> None:
    cfg = composed(*SMALL, "trainer.max_epochs=1", "model.dropout=0.3")
    values = []
    for number, seed in enumerate((1, 1, 2)):
        torch.rand(number + 1)
        values.append(fit(cfg, Split(), seed, JobContext(tmp_path / str(number))).value)
    assert values[0] == values[1] != values[2]


# Rule: a monitor that is not logged is the user's mistake, and told before a step is trained.
@pytest.mark.filterwarnings("ignore::UserWarning:(pytorch_)?lightning")
def test_a_monitor_that_is_not_logged_is_one_line(tmp_path: Path) -> None:
    cfg = composed(*SMALL, "trainer.max_epochs=1", "monitor=val/los", "mode=min")
    with pytest.raises(UserError, match=r"'val/los' was not logged; available: .*Did you mean"):
        fit(cfg, Split(), 1, JobContext(tmp_path))


@pytest.mark.filterwarnings("ignore::UserWarning:(pytorch_)?lightning")
def test_a_mistake_of_the_trainer_is_the_users_in_one_line(tmp_path: Path) -> None:
    cfg = composed(*SMALL, "trainer.max_epochs=1", "+trainer.limit_train_batches=-1")
    with pytest.raises(
        UserError, match=r"Lightning refuses the configuration: .*limit_train_batches"
    ):
        fit(cfg, Split(), 1, JobContext(tmp_path))
