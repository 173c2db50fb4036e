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
from lightning_hpo.fitting.serial import fit
from lightning_hpo.protocol.messages import JobContext


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


@pytest.mark.filterwarnings("ignore::UserWarning:pytorch_lightning")
def test_trials_with_other_seeds_validate_on_the_same_samples(tmp_path: Path) -> None:
    cfg = composed("model=fc", "trainer.max_epochs=1", "trainer.accelerator=cpu")
    cfg.data._target_ = f"{__name__}.Splits"
    results = [fit(cfg, Split(), seed, JobContext(tmp_path / str(seed))) for seed in (1, 2)]
    # By us and by the Trainer, in each of two fits.
    assert len(Splits.validating) == 4
    assert Splits.validating[1:] == Splits.validating[:-1]
    # Their first weights differ.
    assert results[0].value != results[1].value
