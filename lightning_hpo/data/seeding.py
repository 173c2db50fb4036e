"""A data module's random numbers: drawn by the study's seed, so that all trials see the same data.

Most data modules split without a generator of their own (``random_split(whole, [0.9, 0.1])``), and
Lightning calls ``setup`` in each fit once more.
"""

import functools
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from lightning_hpo.flavour import pl


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draw from the states that ``seed`` gives; the states of before continue afterwards.

    Those of Python, NumPy and torch's CPU. A GPU's stay: a fit's dropout draws from them.
    """
    before = random.getstate(), np.random.get_state(), torch.get_rng_state()
    random.seed(seed)
    np.random.seed(seed)
    torch.default_generator.manual_seed(seed)
    try:
        yield
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])
        torch.set_rng_state(before[2])


def draw_by(seed: int, data: pl.LightningDataModule) -> None:
    """Let ``data`` draw the same random numbers whenever it is prepared or set up."""
    for hook in ("prepare_data", "setup"):
        # A partial of a function, with which the data module can still be pickled.
        setattr(data, hook, functools.partial(_call, seed, data, hook))


def _call(seed: int, data: pl.LightningDataModule, hook: str, *args: Any, **kwargs: Any) -> None:
    with seeded(seed):
        getattr(type(data), hook)(data, *args, **kwargs)
