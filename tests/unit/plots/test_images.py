"""Maps and filters as images: their scales and labels, nothing clipped."""

import numpy as np
import pytest
import torch
from drawn import assert_nothing_is_clipped

from lightning_hpo.errors import UserError
from lightning_hpo.plots import (
    filters,
    grad_cam_panel,
)


@pytest.mark.parametrize(("n", "channels"), [(1, 1), (3, 3), (8, 1), (2, 5)])
def test_a_grad_cam_panel_has_three_rows_and_a_colour_bar(n: int, channels: int) -> None:
    titles = ["T-shirt/top, taken for Ankle boot 99%"] * n
    figure = grad_cam_panel(torch.randn(n, channels, 12, 10), torch.rand(n, 4, 3), titles)
    assert len(figure.axes) == 3 * n + 1
    assert [figure.axes[row * n].get_ylabel() for row in range(3)] == [
        "input",
        "Grad-CAM",
        "overlay",
    ]
    assert figure.axes[-1].get_ylabel().startswith("evidence for the class")
    assert_nothing_is_clipped(figure)


def test_each_map_is_relative_to_its_own_maximum() -> None:
    maps = torch.tensor([[[0.0, 2.0]], [[0.0, 0.0]]])
    figure = grad_cam_panel(torch.rand(2, 1, 4, 4), maps, ["a", "b"])
    heat, empty = figure.axes[2], figure.axes[3]
    assert heat.images[0].get_array().tolist() == [[0.0, 1.0]]
    assert heat.images[0].get_extent() == figure.axes[0].images[0].get_extent()
    assert [text.get_text() for text in empty.texts] == ["none"]


def test_signed_maps_get_a_symmetric_scale_that_says_so() -> None:
    figure = grad_cam_panel(torch.rand(1, 1, 4, 4), torch.tensor([[[-4.0, 2.0]]]), ["a"])
    image = figure.axes[1].images[0]
    assert image.get_array().tolist() == [[-1.0, 0.5]]
    assert image.get_clim() == (-1, 1)
    assert "against" in figure.axes[-1].get_ylabel()


# Rule: below a mistake stands the overlay of its true class; the others keep their place empty.
def test_maps_of_the_true_class_are_a_fourth_row() -> None:
    true = {1: torch.tensor([[0.0, 4.0]])}
    titles = ["a", "a, taken for b", "b"]
    figure = grad_cam_panel(torch.rand(3, 1, 4, 4), torch.rand(3, 4, 4), titles, of_true=true)
    assert len(figure.axes) == 4 * 3 + 1
    assert figure.axes[9].get_ylabel() == "overlay,\ntrue class"
    overlays = [[i.get_array().tolist() for i in axes.images[1:]] for axes in figure.axes[9:12]]
    assert overlays == [[], [[[0.0, 1.0]]], []]
    assert len(grad_cam_panel(torch.rand(3, 1, 4, 4), torch.rand(3, 4, 4), titles).axes) == 10
    assert_nothing_is_clipped(figure)


def test_images_maps_and_titles_must_match() -> None:
    with pytest.raises(UserError, match="got 2, 1 and 2"):
        grad_cam_panel(torch.rand(2, 1, 4, 4), torch.rand(1, 4, 4), ["a", "b"])


@pytest.mark.parametrize("shape", [(1, 1, 3, 3), (7, 1, 5, 5), (54, 1, 3, 3), (130, 2, 7, 5)])
def test_all_filters_are_shown_on_a_symmetric_scale(shape: tuple[int, int, int, int]) -> None:
    weight = torch.randn(shape)
    weight[0, 0, 0, 0] = 9.0
    figure = filters(weight, title="features.0")
    (image,) = figure.axes[0].images
    assert image.get_clim() == (-9, 9)
    shown = np.ma.filled(image.get_array(), np.nan)
    assert np.isfinite(shown).sum() == shape[0] * shape[2] * shape[3] * 36  # 6 x 6 pixels a weight
    assert figure.axes[0].get_xlabel()
    assert figure.axes[0].get_ylabel()
    assert_nothing_is_clipped(figure)


def test_of_several_input_channels_the_strongest_is_shown() -> None:
    weight = torch.tensor([[[[1.0]], [[-3.0]]], [[[2.0]], [[0.5]]]])  # two filters, two channels
    figure = filters(weight)
    shown = np.ma.filled(figure.axes[0].images[0].get_array(), np.nan)
    assert set(shown[np.isfinite(shown)]) == {-3.0, 2.0}
    assert "strongest of its 2 input channels" in figure.axes[0].get_title()
    assert "strongest" not in filters(torch.rand(2, 1, 1, 1)).axes[0].get_title()
