"""A noisy curve of known noise: one input, one output, 100 points to train and 100 to test."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_hpo.data.base import Arrays, TensorDataModule

N_TRAIN, N_TEST = 100, 100
NOISE_VARIANCE = 0.22
INPUT_RANGE = (-5.0, 5.0)
# Where the training inputs lie; between these segments there are none.
TRAIN_SEGMENTS = ((-5.0, -3.4), (-2.6, 0.6), (1.6, 5.0))

# The data's own seed: they never change with the study's.
_SEED = 0
# The data are what a CSV file with so many decimals would hold, so that they, and their checksum,
# do not hang on the last bits of a platform's sine.
_DECIMALS = 4


def true_curve(x: NDArray[np.floating]) -> NDArray[np.floating]:
    """The noise-free target of each input: sin(1.5 x) + (x / 4)^3."""
    return np.sin(1.5 * x) + (x / 4) ** 3


class CurveDataModule(TensorDataModule):
    """Samples of ``true_curve`` with additive Gaussian noise of variance 0.22.

    Training inputs are uniform on three segments of [-5, 5], with gaps at (-3.4, -2.6) and
    (0.6, 1.6); test inputs are uniform on all of it, so about one in six lies in a gap.

    ``noise_variance`` is the mean squared error that no predictor can beat in expectation;
    ``realised_noise`` is that of the true curve on the 100 training points as drawn. With so few
    points the two differ (the standard error is 14 %), and a k-fold error contains the latter.

    Args:
        batch_size: rows of a training batch, at least 1; by default all, so an epoch is one step.
        **options: those of ``TensorDataModule``.

    Examples:
        >>> data = CurveDataModule()
        >>> data.setup()
        >>> data.input_shape, data.n_samples, data.num_classes
        ((1,), 100, 0)
    """

    name = "curve"
    input_names = ("x",)
    target_name = "y"
    noise_variance = NOISE_VARIANCE

    def __init__(self, *, batch_size: int = N_TRAIN, **options: Any) -> None:
        super().__init__(batch_size=batch_size, **options)

    @staticmethod
    def true_curve(x: NDArray[np.floating]) -> NDArray[np.floating]:
        """``true_curve`` of this module, in the units of the file."""
        return true_curve(x)

    @property
    def realised_noise(self) -> float:
        """Mean squared error of the true curve on the training points."""
        train_x, train_y = _sample()[:2]
        return float(np.mean((train_y - true_curve(train_x)) ** 2))

    def load(self) -> Arrays:
        train_x, train_y, test_x, test_y = (a.astype(np.float32) for a in _sample())
        return Arrays(train_x[:, None], train_y, test_x[:, None], test_y)


def _sample() -> tuple[NDArray[np.float64], ...]:
    """Training inputs and targets, test inputs and targets, each (100,)."""
    # RandomState, because NumPy promises its stream for all versions, and default_rng's for none.
    rng = np.random.RandomState(_SEED)
    train_x = _on_segments(np.sort(rng.uniform(size=N_TRAIN)))
    train_noise = rng.normal(scale=NOISE_VARIANCE**0.5, size=N_TRAIN)
    test_x = np.sort(rng.uniform(*INPUT_RANGE, size=N_TEST))
    test_noise = rng.normal(scale=NOISE_VARIANCE**0.5, size=N_TEST)
    train_x, test_x = train_x.round(_DECIMALS), test_x.round(_DECIMALS)
    train_y = (true_curve(train_x) + train_noise).round(_DECIMALS)
    test_y = (true_curve(test_x) + test_noise).round(_DECIMALS)
    return train_x, train_y, test_x, test_y


def _on_segments(u: NDArray[np.float64]) -> NDArray[np.float64]:
    """Maps [0, 1] onto the segments laid end to end, so that uniform stays uniform."""
    starts, ends = np.array(TRAIN_SEGMENTS).T
    edges = np.concatenate(([0.0], np.cumsum(ends - starts)))
    segment = np.searchsorted(edges, u * edges[-1], side="right") - 1
    return starts[segment] + u * edges[-1] - edges[segment]
