"""A final job's folder; makes ``fits_left.py`` importable."""

import sys
from pathlib import Path

import pytest
import torch

from lightning_hpo.explain.predictions import save_predictions

sys.path.insert(0, str(Path(__file__).parent))
from fits_left import write_fit


@pytest.fixture
def final_dir(tmp_path: Path) -> Path:
    for name in ("fold_0", "fold_1", "refit"):
        write_fit(tmp_path / name)
    x = torch.linspace(0, 7, 400)
    save_predictions(tmp_path / "fold_0" / "predictions.npz", x, x)
    save_predictions(tmp_path / "fold_1" / "predictions.npz", x, x + 1)
    return tmp_path
