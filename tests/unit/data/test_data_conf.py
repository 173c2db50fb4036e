"""The configuration groups ``data`` and ``augment`` build what they name."""

from pathlib import Path

import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf

from lightning_hpo.data.augment import BatchAugment
from lightning_hpo.data.base import TensorDataModule

CONF = Path(__file__).parents[3] / "conf"


@pytest.mark.parametrize("path", sorted(CONF.glob("data/*.yaml")), ids=lambda path: path.stem)
@pytest.mark.parametrize("augment", ["none", "standard"])
def test_each_data_set_takes_each_augmentation(path: Path, augment: str) -> None:
    config = OmegaConf.load(path)
    assert not {"split", "augment", "seed"} & set(config)  # they come from other groups
    data = instantiate(
        config,
        augment=OmegaConf.load(CONF / "augment" / f"{augment}.yaml"),
        split={"method": "kfold", "n_splits": 3, "fold": 2},
        seed=7,
        _execution_whitelist_="lightning_hpo.*",
    )
    assert isinstance(data, TensorDataModule)
    assert data.name == path.stem
    assert data.split.fold == 2
    assert isinstance(data.augment, BatchAugment) == (augment == "standard")


def test_the_standard_augmentation_runs() -> None:
    config = OmegaConf.load(CONF / "augment" / "standard.yaml")
    augment = instantiate(config, _execution_whitelist_="lightning_hpo.*")
    x = torch.ones(8, 1, 28, 28)
    assert augment(x, torch.Generator().manual_seed(0)).shape == x.shape
