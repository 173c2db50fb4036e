"""The picture of augmented samples: a row for each original, its versions on the same scale."""

import numpy as np
import pytest
import torch

from lightning_hpo.errors import UserError
from lightning_hpo.plots import augmented_samples


def test_each_row_shows_an_original_and_then_its_versions_on_one_scale() -> None:
    originals = torch.tensor([0.0, 10.0]).view(2, 1, 1, 1).expand(2, 1, 4, 4)
    versions = torch.stack((originals + 5, originals - 5, originals), 1)
    figure = augmented_samples(originals, versions)
    shown = [axes.images[0].get_array().mean() for axes in figure.axes]
    # 0 is black and 10 is white, whatever the versions hold; what lies beyond is cut.
    assert shown == pytest.approx([0, 0.5, 0, 0, 1, 1, 0.5, 1])
    assert [axes.get_title() for axes in figure.axes[:4]] == [
        "original",
        "version 1",
        "version 2",
        "version 3",
    ]
    assert all(axes.images[0].get_clim() == (0, 1) for axes in figure.axes)


def test_colour_images_stay_coloured() -> None:
    generator = np.random.default_rng(0)
    figure = augmented_samples(generator.random((1, 3, 4, 5)), generator.random((1, 2, 3, 4, 5)))
    assert all(axes.images[0].get_array().shape == (4, 5, 3) for axes in figure.axes)


def test_images_of_one_value_are_drawn() -> None:
    augmented_samples(torch.ones(1, 1, 2, 2), torch.ones(1, 1, 1, 2, 2))


@pytest.mark.parametrize("shape", [(1, 2, 1, 4, 4), (2, 0, 1, 4, 4), (2, 1, 4, 4)])
def test_versions_that_do_not_fit_the_originals_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(UserError, match=r"versions must be \(N, V, C, H, W\)"):
        augmented_samples(torch.zeros(2, 1, 4, 4), torch.zeros(shape))
