"""What a metric is of each sample: the quantity whose mean was logged under its name."""

from collections.abc import Callable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from lightning_hpo.protocol.samples import Kind, Samples

Values = NDArray[np.float32]

# A logged mean may be of batches in half precision; one that weighs samples is further off.
_CLOSE = 1e-3
_OF: Mapping[Kind, Mapping[str, Callable[[Samples], NDArray[np.generic]]]] = {
    "cross_entropy": {
        "loss": lambda found: found.loss,
        "right": lambda found: found.output.argmax(1) == found.target,
        "wrong": lambda found: found.output.argmax(1) != found.target,
    },
    "squared_error": {
        "loss": lambda found: found.loss,
        "absolute error": lambda found: np.abs(found.output - found.target),
    },
}


def quantities(samples: Samples) -> Iterator[tuple[str, Values]]:
    """Everything of each sample (N,) whose mean may be a metric, by its name."""
    for name, of in _OF[samples.kind].items():
        yield name, of(samples).astype(np.float32)


def has_mean(values: Values, logged: float | None) -> bool:
    """Whether this is the mean of ``values``, but for rounding."""
    mean = float(values.mean(dtype=np.float64))
    return logged is not None and abs(mean - logged) <= _CLOSE * abs(mean) + 1e-9


def with_mean(samples: Samples, logged: float) -> tuple[str, Values] | None:
    """The quantity with this mean, and each sample's; None where none has it."""
    return next(((n, v) for n, v in quantities(samples) if has_mean(v, logged)), None)
