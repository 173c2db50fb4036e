"""scikit-learn's handwritten digits: 1,797 images of 8 x 8 pixels, no download needed."""

from functools import cache

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from lightning_hpo.data.base import Arrays, TensorDataModule


class DigitsDataModule(TensorDataModule):
    """Ten digits, 1,437 to train and 360 to test: one fixed stratified split.

    The data set has no test set of its own, so the split is part of the data and does not depend
    on any seed. Images are (1, 8, 8) bytes that count dark pixels of a 4 x 4 cell: 0 to 16, not
    255; normalisation makes the scale irrelevant. The data are those of Alpaydin and Kaynak 1998,
    "Optical recognition of handwritten digits" (UCI), as scikit-learn has them.
    """

    name = "digits"

    def load(self) -> Arrays:
        """Read once: folds and trials in one process share a single copy."""
        return _read()


@cache
def _read() -> Arrays:
    digits = load_digits()
    images = digits.images.astype(np.uint8)[:, None]
    labels = digits.target.astype(np.uint8)
    train_x, test_x, train_y, test_y = train_test_split(
        images, labels, test_size=0.2, random_state=0, stratify=labels
    )
    return Arrays(train_x, train_y, test_x, test_y, tuple("0123456789"))
