"""Hyperparameters in the files of loggers: without secrets, else as they are."""

from argparse import Namespace
from pathlib import Path

import pytest
import yaml

from lightning_hpo.callbacks.loggers import MaskedCSVLogger, MaskedTensorBoardLogger
from lightning_hpo.flavour import pl


@pytest.mark.parametrize("kind", [MaskedTensorBoardLogger, MaskedCSVLogger])
@pytest.mark.parametrize("wrapped", [dict, Namespace])
def test_a_url_among_hyperparameters_shows_no_password(
    tmp_path: Path, kind: type[pl.loggers.Logger], wrapped: type
) -> None:
    logger = kind(tmp_path, name="", version="")  # type: ignore[call-arg]
    logger.log_hyperparams(wrapped(dsn="mysql://me:5ecret@db/h", lr=0.1, shape=(3, 8)))
    logger.save()
    logger.finalize("success")
    stored = yaml.unsafe_load((tmp_path / "hparams.yaml").read_text())
    assert stored == {"dsn": "mysql://me:***@db/h", "lr": 0.1, "shape": [3, 8]}
