"""Which quantity of the samples a logged metric is the mean of."""

import numpy as np
import pytest

from lightning_hpo.protocol.quantities import has_mean, with_mean
from lightning_hpo.protocol.samples import Samples

# One of four is taken for the other class.
CLASSES = Samples.of(
    np.arange(4), np.eye(2, dtype=np.float32)[[0, 1, 0, 0]] * 4, np.array([0, 1, 0, 1])
)
VALUES = Samples.of(np.arange(3), np.array([1.0, 2, 3]), np.array([1.5, 2, 5]))


@pytest.mark.parametrize(
    ("samples", "logged", "expected"),
    [
        (CLASSES, 0.75, ("right", [1, 1, 1, 0])),
        (CLASSES, 0.25, ("wrong", [0, 0, 0, 1])),
        (VALUES, 4.25 / 3, ("loss", [0.25, 0, 4])),
        (VALUES, 2.5 / 3, ("absolute error", [0.5, 0, 2])),
        (VALUES, 0.5, None),
    ],
)
def test_a_metric_is_known_by_its_mean(
    samples: Samples, logged: float, expected: tuple[str, list[float]] | None
) -> None:
    found = with_mean(samples, logged)
    assert (None if found is None else (found[0], found[1].tolist())) == expected


# Rule: what differs by rounding alone is the mean; what weighs samples otherwise is not.
@pytest.mark.parametrize(
    ("logged", "expected"), [(0.75, True), (0.7501, True), (0.752, False), (None, False)]
)
def test_a_mean_may_be_rounded(logged: float | None, expected: bool) -> None:
    assert has_mean(np.array([1, 1, 1, 0], np.float32), logged) is expected
