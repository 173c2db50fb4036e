"""Which samples tell trials apart, and of whose data there is such a figure."""

from typing import Any

import pytest
import torch
from foreign import Loaded, Network, diabetes, digits, image_classifier, regressor, segmenter
from torch import nn
from torch.utils.data import DataLoader

from lightning_hpo import plots
from lightning_hpo.errors import UserError
from lightning_hpo.explain.trials import (
    ShownTrial,
    can_be_shown,
    telling_samples,
    trials_side_by_side,
)


# Rule: of each class the first sample that the networks take for different classes, else the first.
def test_disputed_samples_come_first() -> None:
    predicted_tn = torch.tensor([[0, 1, 0, 1, 2], [0, 1, 0, 2, 0], [0, 1, 1, 0, 2]])
    labels_n = torch.tensor([0, 1, 0, 1, 2])
    # Disputed are the last three.
    assert telling_samples(predicted_tn, labels_n, n=3).tolist() == [2, 3, 4]
    assert telling_samples(predicted_tn, labels_n, n=2).tolist() == [2, 3]
    assert telling_samples(predicted_tn[:2], labels_n, n=3).tolist() == [3, 4, 0]
    assert telling_samples(predicted_tn[:1], labels_n, n=5).tolist() == [0, 1, 4]


# Rule: of anybody's data a validation batch tells whether there is a figure.
def test_which_data_can_be_shown() -> None:
    x, y = digits()
    assert can_be_shown(image_classifier(), Loaded(x, y, keys=("image", "label")))
    assert can_be_shown(regressor(), Loaded(*diabetes()))
    assert not can_be_shown(segmenter(), Loaded(x, (x[:, 0] > 0.5).long()))

    class Unvalidated(Loaded):
        def val_dataloader(self) -> Any:
            return []

    assert not can_be_shown(image_classifier(), Unvalidated(x, y))


def shown(*modules: Network, data: Loaded) -> list[ShownTrial]:
    return [ShownTrial(f"trial {i}", module, data) for i, module in enumerate(modules)]


def test_somebodys_classifiers_are_shown_side_by_side(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Any] = []
    monkeypatch.setattr(plots, "trial_maps", lambda *given, **_: drawn.append(given))
    (x, y), first, second = digits(), image_classifier(), image_classifier()
    second.network[2].bias.data[3] = 100  # takes everything for a three
    trials_side_by_side(shown(first, second, data=Loaded(x, y)))
    ((images, maps, predicted, rows),) = drawn
    assert rows == ["trial 0", "trial 1"]
    assert maps.shape == (2, 6, 8, 8)
    assert predicted.probabilities[1].argmax(1).tolist() == [3] * 6
    with torch.no_grad():
        taken_tn = torch.stack([module.eval()(x).argmax(1) for module in (first, second)])
    assert torch.equal(images, x[telling_samples(taken_tn, y, n=6)])


def test_somebodys_rows_have_bars_without_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Any] = []
    monkeypatch.setattr(plots, "trial_probabilities", lambda *given, **_: drawn.append(given))
    x, y = digits()
    torch.manual_seed(0)
    trials_side_by_side(shown(Network(nn.Linear(64, 10)), data=Loaded(x.flatten(1), y)))
    ((images, predicted, _),) = drawn
    assert images is None
    assert predicted.probabilities.shape == (1, 5, 10)


def test_somebodys_regressors_are_shown_side_by_side(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Any] = []
    monkeypatch.setattr(plots, "trial_predictions", lambda samples, *_, **__: drawn.extend(samples))
    (x, y), module = diabetes(), regressor()
    trials_side_by_side(shown(module, module, data=Loaded(x, y)))
    assert all(torch.equal(samples.x, y) for samples in drawn)
    torch.testing.assert_close(drawn[1].y, module(x).detach().reshape(-1))


def test_trials_on_other_samples_are_not_compared() -> None:
    class Drawn(Loaded):
        def val_dataloader(self) -> Any:
            return DataLoader(self.samples, 32, shuffle=True)

    torch.manual_seed(0)
    module = image_classifier()
    with pytest.raises(UserError, match="do not validate on the same samples"):
        trials_side_by_side(shown(module, module, data=Drawn(*digits())))
