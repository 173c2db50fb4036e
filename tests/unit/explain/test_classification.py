"""Which figures there are of a classifier's data."""

import torch

from lightning_hpo.data.augment import BatchAugment
from lightning_hpo.data.digits import DigitsDataModule
from lightning_hpo.explain import classification


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
