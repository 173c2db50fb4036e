"""What is counted and kept of a classifier's data, and which figures there are of them."""

import pytest
import torch
from foreign import Loaded, Network, image_classifier
from torch.utils.data import DataLoader, TensorDataset

from lightning_hpo.data.augment import BatchAugment
from lightning_hpo.data.digits import DigitsDataModule
from lightning_hpo.errors import UserError
from lightning_hpo.explain import classification
from lightning_hpo.explain.classification import Classified, Predicted, as_logits
from lightning_hpo.explain.mistakes import confident_mistakes
from lightning_hpo.explain.seen import seen_in


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
