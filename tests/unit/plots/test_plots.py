"""Rules of the figures: the numbers that they show, labels on every axis, nothing clipped."""

from pathlib import Path

import matplotlib
import numpy as np
import pytest
import torch
from drawn import assert_nothing_is_clipped, texts
from matplotlib.figure import Figure
from matplotlib.image import imread

from lightning_hpo.errors import UserError
from lightning_hpo.plots import (
    confident_mistakes,
    confusion_matrix,
    filters,
    grad_cam_panel,
    save_png,
)

COUNTS = torch.tensor([[8, 2, 0], [1, 199, 0], [0, 0, 0]])
CLASSES = ("cat", "dog", "eel")


def test_a_confusion_matrix_shows_shares_of_the_true_class() -> None:
    fig = confusion_matrix(COUNTS, CLASSES, title="Test")
    assert texts(fig)[:4] == ["80", "20", "<1", "100"]
    assert texts(fig)[4:] == ["80.0%", "99.5%", "no samples"]
    assert fig.get_suptitle() == "Test: accuracy 98.6% of 210 samples"  # 207 of 210
    shares = np.ma.filled(fig.axes[0].images[0].get_array(), np.nan)
    np.testing.assert_allclose(shares, [[0.8, 0.2, 0], [0.005, 0.995, 0], [np.nan, np.nan, np.nan]])
    assert fig.axes[0].get_xlabel() == "predicted class"
    assert fig.axes[0].get_ylabel() == "true class"
    assert "share of the true class" in fig.axes[2].get_xlabel()  # the colour bar
    assert_nothing_is_clipped(fig)


def test_many_classes_are_drawn_without_numbers() -> None:
    fig = confusion_matrix(np.eye(90), [f"class {i}" for i in range(90)])
    assert texts(fig) == []
    assert len(fig.axes[0].get_xticklabels()) == 30
    assert_nothing_is_clipped(fig)


def test_a_confusion_matrix_of_another_size_is_refused() -> None:
    with pytest.raises(UserError, match=r"shape \(2, 2\) for 2 classes, got shape \(3, 3\)"):
        confusion_matrix(COUNTS, ("cat", "dog"))


@pytest.mark.parametrize(("n", "channels"), [(1, 1), (3, 3), (8, 1), (2, 5)])
def test_a_grad_cam_panel_has_three_rows_and_a_colour_bar(n: int, channels: int) -> None:
    titles = ["T-shirt/top, taken for Ankle boot 99%"] * n
    fig = grad_cam_panel(torch.randn(n, channels, 12, 10), torch.rand(n, 4, 3), titles)
    assert len(fig.axes) == 3 * n + 1
    assert [fig.axes[row * n].get_ylabel() for row in range(3)] == ["input", "Grad-CAM", "overlay"]
    assert fig.axes[-1].get_ylabel().startswith("evidence for the class")
    assert_nothing_is_clipped(fig)


def test_each_map_is_relative_to_its_own_maximum() -> None:
    maps = torch.tensor([[[0.0, 2.0]], [[0.0, 0.0]]])
    fig = grad_cam_panel(torch.rand(2, 1, 4, 4), maps, ["a", "b"])
    heat, empty = fig.axes[2], fig.axes[3]
    assert heat.images[0].get_array().tolist() == [[0.0, 1.0]]
    assert heat.images[0].get_extent() == fig.axes[0].images[0].get_extent()
    assert [text.get_text() for text in empty.texts] == ["none"]


def test_signed_maps_get_a_symmetric_scale_that_says_so() -> None:
    fig = grad_cam_panel(torch.rand(1, 1, 4, 4), torch.tensor([[[-4.0, 2.0]]]), ["a"])
    image = fig.axes[1].images[0]
    assert image.get_array().tolist() == [[-1.0, 0.5]]
    assert image.get_clim() == (-1, 1)
    assert "against" in fig.axes[-1].get_ylabel()


def test_images_maps_and_titles_must_match() -> None:
    with pytest.raises(UserError, match="got 2, 1 and 2"):
        grad_cam_panel(torch.rand(2, 1, 4, 4), torch.rand(1, 4, 4), ["a", "b"])


@pytest.mark.parametrize("shape", [(1, 1, 3, 3), (7, 1, 5, 5), (54, 1, 3, 3), (130, 2, 7, 5)])
def test_all_filters_are_shown_on_a_symmetric_scale(shape: tuple[int, int, int, int]) -> None:
    weight = torch.randn(shape)
    weight[0, 0, 0, 0] = 9.0
    fig = filters(weight, title="features.0")
    (image,) = fig.axes[0].images
    assert image.get_clim() == (-9, 9)
    shown = np.ma.filled(image.get_array(), np.nan)
    assert np.isfinite(shown).sum() == shape[0] * shape[2] * shape[3] * 36  # 6 x 6 pixels a weight
    assert fig.axes[0].get_xlabel()
    assert fig.axes[0].get_ylabel()
    assert_nothing_is_clipped(fig)


def test_of_several_input_channels_the_strongest_is_shown() -> None:
    weight = torch.tensor([[[[1.0]], [[-3.0]]], [[[2.0]], [[0.5]]]])  # two filters, two channels
    fig = filters(weight)
    shown = np.ma.filled(fig.axes[0].images[0].get_array(), np.nan)
    assert set(shown[np.isfinite(shown)]) == {-3.0, 2.0}
    assert "strongest of its 2 input channels" in fig.axes[0].get_title()
    assert "strongest" not in filters(torch.rand(2, 1, 1, 1)).axes[0].get_title()


def test_mistakes_are_ordered_by_confidence() -> None:
    probabilities = torch.tensor([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8], [0.3, 0.7]])
    labels = torch.tensor([0, 1, 0, 0])  # right, wrong at 0.6, wrong at 0.8, wrong at 0.7
    fig = confident_mistakes(torch.rand(4, 1, 6, 6), probabilities, labels, ["cat", "dog"], n=2)
    assert [axes.get_title() for axes in fig.axes[:3]] == [
        "true: cat\ntaken for: dog\nwith 80.0%",
        "true: cat\ntaken for: dog\nwith 70.0%",
        "",
    ]
    assert fig.get_suptitle() == "Most confident mistakes: 2 of 3 among 4"
    assert_nothing_is_clipped(fig)


def test_without_mistakes_the_figure_says_so() -> None:
    fig = confident_mistakes(torch.rand(1, 1, 6, 6), torch.eye(2)[:1], torch.tensor([0]), "ab")
    assert fig.get_suptitle() == "Most confident mistakes: 0 of 0 among 1"


def test_a_png_keeps_its_size_limit_by_a_lower_resolution(tmp_path: Path) -> None:
    fig = Figure(figsize=(8, 4))
    noise = np.random.default_rng(0).random((400, 800))
    fig.add_axes((0, 0, 1, 1)).imshow(noise, cmap="gray", aspect="auto")
    large = save_png(fig, tmp_path / "new" / "large.png", max_kb=2000)
    assert imread(large).shape[1] == 1200
    small = save_png(fig, tmp_path / "small.png", max_kb=350)
    assert small.stat().st_size <= 350_000
    assert imread(small).shape[1] < 1200
    with pytest.raises(UserError, match=r"none\.png must fit into max_kb=1, got .* kB"):
        save_png(fig, tmp_path / "none.png", max_kb=1)
    assert not (tmp_path / "none.png").exists()


def test_inputs_may_need_gradients_and_global_settings_stay(tmp_path: Path) -> None:
    before = dict(matplotlib.rcParams)
    fig = filters(torch.nn.Conv2d(1, 3, 3).weight)
    save_png(fig, tmp_path / "filters.png")
    assert dict(matplotlib.rcParams) == before
