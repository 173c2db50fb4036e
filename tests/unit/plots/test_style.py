"""Figures as files, and the settings that drawing leaves alone."""

from pathlib import Path

import matplotlib
import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from matplotlib.image import imread

from lightning_hpo.errors import UserError
from lightning_hpo.plots import (
    filters,
    save_png,
)


def test_a_png_keeps_its_size_limit_by_a_lower_resolution(tmp_path: Path) -> None:
    figure = Figure(figsize=(8, 4))
    noise = np.random.default_rng(0).random((400, 800))
    figure.add_axes((0, 0, 1, 1)).imshow(noise, cmap="gray", aspect="auto")
    large, small = tmp_path / "new" / "large.png", tmp_path / "small.png"
    pixels_hwc = save_png(figure, large, max_kb=2000)
    assert imread(large).shape == pixels_hwc.shape == (600, 1200, 3)
    pixels_hwc = save_png(figure, small, max_kb=350)
    assert small.stat().st_size <= 350_000
    assert imread(small).shape == pixels_hwc.shape
    assert imread(small).shape[1] < 1200
    with pytest.raises(UserError, match=r"none\.png must fit into max_kb=1, got .* kB"):
        save_png(figure, tmp_path / "none.png", max_kb=1)
    assert not (tmp_path / "none.png").exists()


def test_inputs_may_need_gradients_and_global_settings_stay(tmp_path: Path) -> None:
    before = dict(matplotlib.rcParams)
    figure = filters(torch.nn.Conv2d(1, 3, 3).weight)
    save_png(figure, tmp_path / "filters.png")
    assert dict(matplotlib.rcParams) == before
