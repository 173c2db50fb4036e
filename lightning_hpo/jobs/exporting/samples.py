"""Samples that an export is traced with and checked on: of the test data where there are any."""

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lightning_hpo.data import told
from lightning_hpo.data.base import TensorDataModule
from lightning_hpo.data.new_samples import as_tensor
from lightning_hpo.errors import UserError, one_line, with_type
from lightning_hpo.fitting import build, splits
from lightning_hpo.flavour import pl
from lightning_hpo.jobs.again import quietly_with
from lightning_hpo.jobs.predictor import Predictor
from lightning_hpo.protocol.files import stored_config
from lightning_hpo.protocol.folder import StudyFolder

MOST = 256
_NEEDED = ("study", "data", "model", "trainer", "cv", "monitor", "seed")


@dataclass(frozen=True)
class Checked:
    """Samples ``x`` (N, C, ...) as they go into the graph, N of at most ``MOST``; which they are.

    ``doubt``: what is to be known of them.
    """

    x: Tensor
    words: str
    doubt: str | None = None


def checked_samples(study_dir: Path, predictor: Predictor) -> Checked:
    """Of the test data, which the final job has opened, else of the training data, else made up."""
    if predictor.data is None:
        return _of_others(study_dir)
    # Preparing may change what the predictor's own data are.
    data = copy.deepcopy(predictor.data)
    try:
        data.setup("test")
        return _of_ours(data)
    # The data module may be the user's own, and its files may be gone.
    except Exception as error:
        return Checked(
            made_up(predictor.data),
            f"{MOST} made-up samples",
            f"the study's data do not open here ({one_line(error).rstrip('.')}): the check is on"
            " made-up samples of their mean and deviation",
        )


def made_up(data: TensorDataModule) -> Tensor:
    """Random samples of the training data's mean and deviation, always the same ones.

    Pictures whose mean exceeds 1 are bytes, as fractions are not.
    """
    generator = torch.Generator().manual_seed(0)
    assert data.mean is not None and data.std is not None, "a checkpoint holds both"
    # As many channels as are stored: what is prepared, as of a table, may be wider.
    shape = (len(data.mean), *data.input_shape[1:])
    noise = torch.randn(MOST, *shape, generator=generator)
    each = (-1,) + (1,) * (len(shape) - 1)
    x = noise * data.std.cpu().view(each) + data.mean.cpu().view(each)
    is_bytes = len(shape) == 3 and bool(data.mean.max() > 1)
    return x.round().clamp(0, 255).to(torch.uint8) if is_bytes else x


def _of_ours(data: TensorDataModule) -> Checked:
    for stage, name in (("test", "test"), ("train", "training")):
        x, _ = data.raw(stage)
        if len(x):
            x = x[:MOST].clone()
            return Checked(x, f"{len(x)} {name} samples")
    raise UserError("the study's data have no sample.")


def _of_others(study_dir: Path) -> Checked:
    """As the loaders of a data module that is not ours give them."""
    cfg = stored_config(StudyFolder(study_dir).final.refit.config, *_NEEDED)
    try:
        with quietly_with(torch.get_num_threads()):
            data = build.data_module(cfg, splits.refit_split(cfg))
            data.setup("test")
            name, loader = _loader(data)
            x = _inputs(data, loader)
    # The data module is the user's own, and its files may be gone.
    except Exception as error:
        raise UserError(
            f"an export is traced with samples of the study's data, but: {with_type(error)}"
        ) from error
    return Checked(x, f"{len(x)} {name} samples")


def _loader(data: pl.LightningDataModule) -> tuple[str, Any]:
    if type(data).test_dataloader is pl.LightningDataModule.test_dataloader:
        return "training", data.train_dataloader()
    loaders = data.test_dataloader()
    return "test", loaders[0] if isinstance(loaders, list | tuple) else loaders


def _inputs(data: object, loader: Any) -> Tensor:
    parts: list[Tensor] = []
    for x in _batches(data, loader):
        parts.append(x)
        if sum(map(len, parts)) >= MOST:
            break
    return torch.cat(parts)[:MOST]


def _batches(data: object, loader: Any) -> Iterator[Tensor]:
    for batch in loader:
        x = batch if isinstance(batch, Tensor) else told.pair(data, batch)[0]
        if not isinstance(x, Tensor):
            raise UserError(
                "a network of one tensor is exported, but the inputs of a batch are of type"
                f" {type(x).__name__}."
            )
        yield as_tensor(x, "the inputs of a batch")
