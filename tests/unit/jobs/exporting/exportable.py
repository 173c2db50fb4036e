"""Folders with what a final job leaves of small networks, to be exported; nothing is trained."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from lightning_hpo.data.base import Arrays, TensorDataModule
from lightning_hpo.errors import UserError
from lightning_hpo.flavour import pl
from lightning_hpo.jobs.exporting.exported import exported
from lightning_hpo.jobs.exporting.kinds import FORMATS, Exported, file_for, format_of
from lightning_hpo.models.fc import FCClassifier
from lightning_hpo.protocol.folder import StudyFolder

N = 7
PIXELS = np.arange(4 * N, dtype=np.uint8).reshape(N, 1, 2, 2)
ROWS = np.linspace(-1, 3, 2 * N, dtype=np.float32).reshape(N, 2)
STATE: dict[str, Any] = {"mean": torch.tensor([2.0]), "std": torch.tensor([4.0])}
OF_IMAGES = STATE | {"input_shape": (1, 2, 2), "num_classes": 2, "classes": ("a", "b")}
OF_ROWS = {
    "mean": torch.tensor([1.0, 2.0]),
    "std": torch.tensor([2.0, 4.0]),
    "input_shape": (2,),
    "num_classes": 0,
    "classes": None,
}


class Images(TensorDataModule):
    """Two training images of 2 x 2 bytes, and ``PIXELS`` to test."""

    def load(self) -> Arrays:
        labels = np.arange(N, dtype=np.uint8) % 2
        return Arrays(PIXELS[:2], labels[:2], PIXELS, labels, ("a", "b"))


class Halved(Images):
    def normalised(self, x: Tensor) -> Tensor:
        return x / 2


class Gone(Images):
    def load(self) -> Arrays:
        raise FileNotFoundError("no file here")


class Rows(TensorDataModule):
    input_names = ("length", "width")

    def load(self) -> Arrays:
        return Arrays(ROWS, ROWS[:, 0], ROWS, ROWS[:, 0])


class Sum(pl.LightningModule):
    """Values (N, 1): twice the sum of a row."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(2.0))

    def forward(self, x: Tensor) -> Tensor:
        return self.weight * x.sum(1, keepdim=True)


class Difference(Sum):
    """Values (N, 1): twice the first column less the second, each cut out of the rows."""

    def forward(self, x: Tensor) -> Tensor:
        return self.weight * (x[:, :1] - x[:, 1:])


class Softmax(pl.LightningModule):
    """Probabilities by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([[0.1, -0.1]]))

    def forward(self, x: Tensor) -> Tensor:
        return (x.flatten(1).float().sum(1, keepdim=True) * self.weight).softmax(1)


class Choosy(Softmax):
    """What it does depends on the numbers that it is given, which no trace can follow."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x if x.sum() > 0 else x.clone())


class Others(pl.LightningDataModule):
    """Nothing of ours: ``ROWS`` in batches of three."""

    def setup(self, stage: str | None = None) -> None:
        self.x = torch.from_numpy(ROWS)

    def train_dataloader(self) -> Any:
        return DataLoader(TensorDataset(self.x, self.x[:, 0]), 3)

    def test_dataloader(self) -> Any:
        return self.train_dataloader()


class Dicts(Others):
    input_key, target_key = "parts", "y"

    def test_dataloader(self) -> Any:
        return DataLoader([{"parts": {"a": 1, "b": 2}, "y": 3}])


def study(folder: Path, data: type, state: Any, module: pl.LightningModule) -> Path:
    """A folder with what a final job leaves of a network."""
    final = StudyFolder(folder).final
    final.refit.path.mkdir(parents=True)
    kinds = {"data": data, "model": type(module)}
    cfg: Any = {k: {"_target_": f"{v.__module__}.{v.__qualname__}"} for k, v in kinds.items()}
    cfg |= {"study": {"name": "s"}, "monitor": "val/loss", "seed": 0}
    cfg |= {"trainer": {"_target_": "pytorch_lightning.Trainer", "logger": False}}
    cfg["cv"] = {"search": "holdout", "final": False, "n_splits": 2, "val_fraction": 0.1}
    cfg["cv"]["stratified"] = True
    OmegaConf.save(cfg, final.refit.config)
    save(module, final.checkpoint, {data.__qualname__: state})
    return folder


def save(module: pl.LightningModule, path: Path, more: dict[str, Any]) -> None:
    checkpoint = {"epoch": 1, "global_step": 1, "pytorch-lightning_version": pl.__version__}
    checkpoint |= {"state_dict": module.state_dict(), "hyper_parameters": dict(module.hparams)}
    torch.save(checkpoint | more, path)


def classifier(*, flip: bool = False) -> FCClassifier:
    torch.manual_seed(0)
    options = {"neurons_1": 3, "neurons_2": 3, "test_time_flip": flip}
    return FCClassifier(input_shape=(1, 2, 2), num_classes=2, **options).eval()


def export(folder: Path, to: str = "torch", *, ensemble: bool = False) -> Exported:
    out = file_for(folder, None, FORMATS[to], ensemble=ensemble)
    options = {"ensemble": ensemble, "trusted": True, "way_out": "--trust"}
    return exported(folder, out, format_of(to), **options)


def refusal(folder: Path, to: str = "torch", **options: Any) -> str:
    """Why it is refused, in one line, and without a file."""
    with pytest.raises(UserError) as refused:
        export(folder, to, **options)
    assert "\n" not in str(refused.value)
    assert not (folder / "export").exists()
    return str(refused.value)


class Scaled(nn.Module):
    """A preprocessing that its buffers alone do not make."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        return x * self.factor


class Scaling(Images):
    def preprocessing(self) -> nn.Module:
        return Scaled(0.5)

    def normalised(self, x: Tensor) -> Tensor:
        return x * 0.5
