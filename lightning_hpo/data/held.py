"""What is held out of the training samples before anything is split: a lock box, an outer fold."""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from lightning_hpo.errors import UserError

Indices = NDArray[np.int64]
# Whose samples a test is of: the data's own, those of the lock box, or those of the outer fold.
Tested = Literal["test", "lock_box", "outer"]


# Not frozen, as the Split that keeps one.
@dataclass(unsafe_hash=True)
class Held:
    """Training samples that no trial, fold or refit of a study sees.

    Args:
        lock_box: share of the samples, or of the groups, in (0, 1); None: no lock box.
        n_outer: folds of a nested cross-validation, into which all but the lock box fall; 0: none.
        outer: the one of them that is held out, from 0 to ``n_outer`` - 1.
        tested: whose samples take the place of the test data.
        seed: draws them, so that splits of any seed leave out the same; None: the split's own.

    Raises:
        UserError: for a value outside its range.
    """

    lock_box: float | None = None
    n_outer: int = 0
    outer: int = 0
    tested: Tested = "test"
    seed: int | None = None

    def __post_init__(self) -> None:
        if self.lock_box is not None and not _is_share(self.lock_box):
            raise UserError(
                "data.lock_box must be a share of the training samples in (0, 1), got"
                f" data.lock_box={self.lock_box}; leave it out (null) for none."
            )
        if self.n_outer and not (self.n_outer >= 2 and 0 <= self.outer < self.n_outer):
            raise UserError(
                "an outer fold must be one of at least 2, counted from 0, got fold"
                f" {self.outer} of {self.n_outer}."
            )
        if self.tested not in get_args(Tested):
            raise UserError(
                f"held.tested must be one of {', '.join(get_args(Tested))}, got {self.tested!r}."
            )

    @property
    def holds(self) -> bool:
        """Whether anything is held out."""
        return self.lock_box is not None or self.n_outer > 0


@dataclass(frozen=True)
class Apart:
    """Training samples by what becomes of them: zero-based indices, sorted, disjoint.

    ``free``: those that train and validate; ``lock_box``, ``outer``: those held out. In the order
    of time, what comes after an outer fold is in none of them.
    """

    free: Indices
    lock_box: Indices
    outer: Indices

    def tested(self, what: Tested) -> Indices | None:
        """Those that take the place of the test data; None: the data keep their own."""
        return {"test": None, "lock_box": self.lock_box, "outer": self.outer}[what]


def _is_share(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 1
