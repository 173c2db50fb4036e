"""What a data module has saved of its arguments, in a checkpoint and outside."""

from dataclasses import asdict

import pytest

from lightning_hpo.data.folds import Split
from lightning_hpo.fitting.hyperparameters import plain_splits
from lightning_hpo.flavour import pl


class SplitsItself(pl.LightningDataModule):
    """Keeps all that it is given."""

    def __init__(self, split=None, size: int = 3) -> None:
        super().__init__()
        self.save_hyperparameters()


def test_a_split_of_ours_is_a_mapping_only_while_it_is_saved() -> None:
    split = Split(method="kfold", fold=2)
    data = SplitsItself(split)
    with plain_splits(data):
        assert dict(data.hparams) == {"split": asdict(split), "size": 3}
    assert dict(data.hparams) == {"split": split, "size": 3}
    with pytest.raises(OSError, match="full"), plain_splits(data):
        raise OSError("full")
    assert data.hparams.split is split


def test_other_arguments_stay_as_they_are() -> None:
    data = SplitsItself({"method": "none"})
    with plain_splits(data):
        assert data.hparams.split == {"method": "none"}
