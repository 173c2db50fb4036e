"""Figures of a classifier's results: the numbers that they show, nothing clipped."""

import numpy as np
import pytest
import torch
from drawn import assert_nothing_is_clipped, texts

from lightning_hpo.errors import UserError
from lightning_hpo.plots import (
    confident_mistakes,
    confusion_matrix,
)

COUNTS = torch.tensor([[8, 2, 0], [1, 199, 0], [0, 0, 0]])
CLASSES = ("cat", "dog", "eel")


def test_a_confusion_matrix_shows_shares_of_the_true_class() -> None:
    figure = confusion_matrix(COUNTS, CLASSES, title="Test")
    assert texts(figure)[:4] == ["80", "20", "<1", "100"]
    assert texts(figure)[4:] == ["80.0%", "99.5%", "no samples"]
    assert figure.get_suptitle() == "Test: accuracy 98.6% of 210 samples"  # 207 of 210
    shares = np.ma.filled(figure.axes[0].images[0].get_array(), np.nan)
    np.testing.assert_allclose(shares, [[0.8, 0.2, 0], [0.005, 0.995, 0], [np.nan, np.nan, np.nan]])
    assert figure.axes[0].get_xlabel() == "predicted class"
    assert figure.axes[0].get_ylabel() == "true class"
    assert "share of the true class" in figure.axes[2].get_xlabel()  # the colour bar
    assert_nothing_is_clipped(figure)


def test_many_classes_are_drawn_without_numbers() -> None:
    figure = confusion_matrix(np.eye(90), [f"class {i}" for i in range(90)])
    assert texts(figure) == []
    assert len(figure.axes[0].get_xticklabels()) == 30
    assert_nothing_is_clipped(figure)


def test_a_confusion_matrix_of_another_size_is_refused() -> None:
    with pytest.raises(UserError, match=r"shape \(2, 2\) for 2 classes, got shape \(3, 3\)"):
        confusion_matrix(COUNTS, ("cat", "dog"))


def test_mistakes_are_ordered_by_confidence() -> None:
    probabilities = torch.tensor([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8], [0.3, 0.7]])
    labels = torch.tensor([0, 1, 0, 0])  # right, wrong at 0.6, wrong at 0.8, wrong at 0.7
    figure = confident_mistakes(torch.rand(4, 1, 6, 6), probabilities, labels, ["cat", "dog"], n=2)
    assert [axes.get_title() for axes in figure.axes[:3]] == [
        "true: cat\ntaken for: dog\nwith 80.0%",
        "true: cat\ntaken for: dog\nwith 70.0%",
        "",
    ]
    assert figure.get_suptitle() == "Most confident mistakes: 2 of 3 among 4"
    assert_nothing_is_clipped(figure)


def test_without_mistakes_the_figure_says_so() -> None:
    figure = confident_mistakes(torch.rand(1, 1, 6, 6), torch.eye(2)[:1], torch.tensor([0]), "ab")
    assert figure.get_suptitle() == "Most confident mistakes: 0 of 0 among 1"
