"""Rules of the figures of feature maps and of confused classes."""

import numpy as np
import pytest
import torch
from drawn import assert_nothing_is_clipped, texts

from lightning_hpo.errors import UserError
from lightning_hpo.explain.mistakes import ConfusedPair
from lightning_hpo.plots import confused_pairs, feature_maps, weight_histograms


def titles(figure) -> list[str]:
    return [axes.get_title(loc="left") for axes in figure.axes if axes.get_title(loc="left")]


def test_each_layer_has_its_channels_on_one_scale_that_says_so() -> None:
    maps = {"signed": torch.tensor([[[-3.0, 1.0]], [[0.0, 2.0]]]), "positive": torch.ones(50, 2, 2)}
    figure = feature_maps(torch.rand(1, 4, 4), maps, title="Maps")
    assert titles(figure) == [
        "signed: 2 channels of 1 x 2",
        "positive: 50 channels of 2 x 2, the first 48 shown",
    ]
    signed, positive = (axes.images[0] for axes in figure.axes if axes.get_title(loc="left"))
    assert (signed.get_clim(), positive.get_clim()) == ((-3, 3), (0, 1))
    shown = np.ma.filled(signed.get_array(), np.nan)
    assert set(shown[np.isfinite(shown)]) == {-3, 0, 1, 2}
    assert_nothing_is_clipped(figure)


def test_of_many_layers_some_are_shown_evenly_spaced() -> None:
    figure = feature_maps(
        torch.rand(3, 4, 4), {f"layer {i}": torch.rand(3, 4, 4) for i in range(16)}
    )
    assert [title.partition(":")[0] for title in titles(figure)] == [
        f"layer {i}" for i in (0, 3, 6, 9, 12, 15)
    ]
    assert figure.get_suptitle().endswith("6 of 16 layers")
    assert_nothing_is_clipped(figure)


def test_a_layer_without_channels_of_pixels_is_refused() -> None:
    with pytest.raises(UserError, match=r"\(C, H, W\), got \(64,\) from layer='dense'"):
        feature_maps(torch.rand(1, 4, 4), {"dense": torch.rand(64)})


def test_confused_pairs_show_count_and_share() -> None:
    pairs = [ConfusedPair(1, 0, 1200, 0.015), ConfusedPair(0, 1, 2, 0.2)]
    figure = confused_pairs(pairs, ("cat", "a dog with a very long name"))
    assert texts(figure) == ["1,200 (1.5%)", "2 (20.0%)"]
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert names[1] == "cat taken for a dog with a very long name"
    assert "share of the true class" in figure.axes[0].get_xlabel()
    assert_nothing_is_clipped(figure)
    assert texts(confused_pairs([], ("cat", "dog"))) == ["no mistakes"]


def test_of_many_layers_the_last_weights_are_shown() -> None:
    weights = {f"layer {i}": torch.rand(3, 2) for i in range(26)}
    figure = weight_histograms(weights, weights)
    assert len(figure.axes) == 24
    assert figure.axes[0].get_title().startswith("layer 2 ")
    assert figure.get_suptitle().endswith("the last 24 of 26 layers")
