"""A test of 182 samples of "no" and 18 of "yes", as a network answers it."""

import numpy as np

from lightning_hpo.protocol.samples import Samples
from lightning_hpo.results.results import TrivialModels
from lightning_hpo.results.trivial import beside

RARE = np.repeat([0, 1], [182, 18])


def rare(wrong_no: int, right_yes: int) -> Samples:
    """Wrong in so many of the 182 "no", right in so many of the 18 "yes"."""
    answers = np.zeros(200, dtype=np.int64)
    answers[:wrong_no] = 1
    answers[182 : 182 + right_yes] = 1
    return Samples.of(np.arange(200), np.eye(2)[answers] * 4, RARE)


def rare_yes(wrong_no: int, right_yes: int) -> TrivialModels:
    """What ``results.json`` has of it."""
    return {"test": beside([rare(wrong_no, right_yes)], None, ("no", "yes")), "folds": None}
