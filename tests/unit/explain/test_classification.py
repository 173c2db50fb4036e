"""What is counted and kept of a classifier's data, and which figures there are of them."""

from dataclasses import dataclass
from typing import Any

import pytest
import torch
from foreign import Loaded, Network, image_classifier
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from lightning_hpo import plots
from lightning_hpo.data.augment import BatchAugment
from lightning_hpo.data.digits import DigitsDataModule
from lightning_hpo.errors import UserError
from lightning_hpo.explain import classification
from lightning_hpo.explain.attribution import METHODS
from lightning_hpo.explain.classification import Classified, Predicted, as_logits, maps_of_true
from lightning_hpo.explain.mistakes import confident_mistakes
from lightning_hpo.explain.seen import seen_in
from lightning_hpo.flavour import pl
from lightning_hpo.models.base import BaseClassifier


def test_the_final_job_draws_it_where_there_is_augmentation() -> None:
    for augment, names in ((BatchAugment(erasing=1.0), ["augmented_samples"]), (None, [])):
        data = DigitsDataModule(augment=augment, train_limit=100)
        data.setup("fit")
        state = torch.get_rng_state()
        figures = classification.augmented_samples(data)
        assert list(figures) == names
        assert torch.equal(torch.get_rng_state(), state)
    six_rows_of_an_original_and_five_versions = 6 * 6
    data.augment = BatchAugment(erasing=1.0)
    (figure,) = classification.augmented_samples(data).values()
    assert len(figure.axes) == six_rows_of_an_original_and_five_versions


def predicted(module: Network, x: torch.Tensor, y: torch.Tensor, *, batch_size: int) -> Predicted:
    data = Loaded(x, y)
    return Predicted.of(seen_in(module, data, DataLoader(TensorDataset(x, y), batch_size)))


# Rule: the same network on the same digits errs alike, as resident data and as somebody's loaders.
def test_loaders_and_resident_data_give_the_same_matrix() -> None:
    resident, module = DigitsDataModule(train_limit=200), image_classifier()
    resident.setup("test")
    raw, labels_n = resident.raw("test")
    foreign = Loaded(resident.normalised(raw), labels_n)
    found = [
        Classified(module, data, Predicted.of(seen_in(module, data, data.test_dataloader())))
        for data in (resident, foreign)
    ]
    with torch.no_grad():
        taken_n = module.eval()(resident.normalised(raw)).argmax(1)
    counts_kk = torch.zeros(10, 10, dtype=torch.int64)
    for true, taken in zip(labels_n.tolist(), taken_n.tolist(), strict=True):
        counts_kk[true, taken] += 1
    assert torch.equal(found[0].counts, counts_kk)
    assert torch.equal(found[1].counts, counts_kk)


# Rule: what is kept of one pass over batches are the samples that one would choose among all.
@pytest.mark.parametrize("batch_size", [1, 7, 500])
def test_the_samples_that_are_kept_do_not_depend_on_the_batches(batch_size: int) -> None:
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(200, 4, generator=generator), torch.arange(200) * 7 % 9
    module = Network(torch.nn.Identity())
    y = y % 4
    found = predicted(module, x, y, batch_size=batch_size)
    mistakes, _ = confident_mistakes(x, y)
    first_of_each = [int((y == k).nonzero()[0, 0]) for k in range(4)]
    chosen = sorted({0, *first_of_each, *mistakes.tolist()})
    assert torch.equal(torch.stack(list(found.shown.given)), x[chosen])
    assert torch.equal(found.shown.targets, y[chosen])
    assert torch.equal(found.predicted_n, x.argmax(1))
    assert torch.equal(found.labels_n, y)


# Rule: a network that gives probabilities is as sure as they say.
def test_probabilities_are_taken_for_what_they_are() -> None:
    logits_nk = torch.tensor([[2.0, 0.0], [0.5, 3.0]])
    p_nk = logits_nk.softmax(1)
    torch.testing.assert_close(as_logits(p_nk).softmax(1), p_nk)
    assert as_logits(logits_nk) is logits_nk
    sure = torch.tensor([[1.0, 0.0]])
    torch.testing.assert_close(as_logits(sure).softmax(1), sure)


class Directions(pl.LightningModule):
    """Says by a map which side of an image is bright: class 0 the left, class 1 the right one."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 1, bias=False)
        self.conv.weight.data.fill_(1.0)
        self.weight = nn.Parameter(torch.zeros(2, 2, 4, 4))  # (K, C, H, W)
        self.weight.data[0, 0, :, :2] = self.weight.data[1, 1, :, 2:] = 1.0

    def forward(self, x: Tensor) -> Tensor:
        return torch.einsum("nchw,kchw->nk", self.conv(x).relu(), self.weight)


class Mirrored(BaseClassifier):
    """The same network, which says the mean over mirror images."""

    def __init__(self) -> None:
        super().__init__(num_classes=2, test_time_flip=True)
        self.network = Directions()
        # The right side of the mirror image counts thrice.
        self.network.weight.data[1] *= 3

    def forward(self, x: Tensor) -> Tensor:
        return self.network(x)


@dataclass
class Panel:
    titles: list[str]
    maps: Tensor
    of_true: dict[int, Tensor]
    title: str


@pytest.fixture
def panels(monkeypatch: pytest.MonkeyPatch) -> list[Panel]:
    """What is given to the panels of maps."""
    drawn: list[Panel] = []

    def keep(images: Any, maps: Any, titles: Any, *, title: str, of_true: Any, **_: Any) -> Figure:
        drawn.append(Panel(list(titles), maps, dict(of_true), title))
        return Figure()

    monkeypatch.setattr(plots, "attribution_panel", keep)
    monkeypatch.setattr(plots, "grad_cam_panel", keep)
    return drawn


# Rule: a map is of the class that the title says, the one that was evaluated, and where that is a
# mistake, the map of the true class stands beside it. With mirror images the network itself, on
# the image as it is, may take it for another class.
def test_title_and_map_name_the_same_class(panels: list[Panel]) -> None:
    module = Mirrored().eval()
    x = torch.zeros(2, 1, 4, 4)
    x[..., :2] = 1.0  # bright on the left
    x[1, ..., 2:] = 0.5
    data = Loaded(x, torch.tensor([0, 1]))
    assert module(x).argmax(1).tolist() == [0, 1]
    assert module.evaluated(x).argmax(1).tolist() == [1, 1]
    of_test = Predicted.of(seen_in(module, data, data.test_dataloader()))
    figures = dict(Classified(module, data, of_test, [METHODS["integrated_gradients"]]).attempts())
    for name in ("grad_cam", "integrated_gradients", "mistakes"):
        figures[name]()
    grad_cam, integrated, mistakes = panels
    for panel, method in ((grad_cam, "grad_cam"), (integrated, "integrated_gradients")):
        maps = METHODS[method].maps
        assert panel.titles == ["0, taken for 1", "1"]
        assert torch.equal(panel.maps, maps(module, x, torch.tensor([1, 1])))
        assert list(panel.of_true) == [0]
        assert torch.equal(panel.of_true[0], maps(module, x[:1], 0)[0])
    assert mistakes.titles[0].startswith("0, taken for 1 (")
    assert torch.equal(mistakes.maps, grad_cam.maps[:1])
    assert torch.equal(mistakes.of_true[0], grad_cam.of_true[0])
    assert grad_cam.title.endswith("\nGrad-CAM at the relu behind network.conv")
    assert mistakes.title.endswith("\nGrad-CAM at the relu behind network.conv")
    assert "behind" not in integrated.title


def test_where_nothing_was_mistaken_there_is_no_other_map() -> None:
    def never(inputs: Tensor, classes: Tensor) -> Tensor:
        raise AssertionError("no maps are needed")

    same = torch.tensor([0, 1])
    assert maps_of_true(never, torch.rand(2, 1, 4, 4), same, same) == {}


def test_a_label_without_an_output_is_named() -> None:
    x = torch.zeros(3, 2)
    module = Network(torch.nn.Identity())
    with pytest.raises(UserError, match=r"labels must lie in \[0, 1\], .* got -100 to 1"):
        predicted(module, x, torch.tensor([0, 1, -100]), batch_size=3)


# Rule: the matrix has as many classes as the data tell, if they tell enough, else as the network.
@pytest.mark.parametrize(("told", "n_classes"), [(3, 3), (2, 4), (None, 4), (6, 6)])
def test_how_many_classes_there_are(told: int | None, n_classes: int) -> None:
    data = Loaded(torch.zeros(3, 4), torch.tensor([0, 1, 2]))
    data.num_classes = told
    module = Network(torch.nn.Identity())
    of_test = Predicted.of(seen_in(module, data, data.test_dataloader()))
    assert Classified(module, data, of_test).counts.shape == (n_classes, n_classes)
