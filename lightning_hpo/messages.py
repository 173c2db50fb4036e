"""What jobs return: small frozen dataclasses of numbers, which any process reads without torch."""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Facts:
    """What a study records about its data and its machine."""

    data_name: str
    data_sha256: str | None
    n_train: int | None
    device: str


@dataclass(frozen=True)
class FitResult:
    """One fit: the monitor's best value, at which 0-based epoch, and what else was logged there."""

    value: float
    best_epoch: int
    epochs: int
    metrics: dict[str, float]
    seconds: float


@dataclass(frozen=True)
class TrialResult:
    """The objective of a trial, the mean of its fits' best values; a float to any sweeper.

    ``further``: the other objectives of a study with several; iterating gives all of them.
    ``stopped_after_fold``: the Wilcoxon pruner was sure after this fold; the mean is over the folds
    up to it. None: all folds were fitted.
    """

    value: float
    fits: tuple[FitResult, ...]
    stopped_after_fold: int | None = None
    further: tuple[float, ...] = ()

    def __float__(self) -> float:
        return self.value

    def __iter__(self) -> Iterator[float]:
        return iter((self.value, *self.further))
