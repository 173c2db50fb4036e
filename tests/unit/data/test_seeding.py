"""A data module that splits without a generator of its own splits alike in every trial."""

import copy
import pickle
import random

import numpy as np
import torch
from torch.utils.data import random_split

from lightning_hpo.data.seeding import draw_by, seeded
from lightning_hpo.flavour import pl


class Splits(pl.LightningDataModule):
    """Draws from the three random states, as modules in use do."""

    def setup(self, stage: str) -> None:
        _, val = random_split(range(100), [90, 10])
        self.drawn = [*val.indices, int(np.random.randint(1000)), random.randint(0, 1000)]


def drawn(data: Splits, stage: str = "fit") -> list[int]:
    data.setup(stage)
    return data.drawn


def test_every_setup_draws_the_same_and_another_seed_others():
    data = Splits()
    draw_by(7, data)
    first = drawn(data)
    torch.manual_seed(1)
    assert drawn(data, "test") == drawn(copy.deepcopy(data)) == first
    # As into a process of its own.
    assert drawn(pickle.loads(pickle.dumps(data))) == first
    other = Splits()
    draw_by(8, other)
    assert drawn(other) != first


# Rule: the fit's own numbers, such as its first weights, do not depend on what the data draw.
def test_the_states_continue_as_if_nothing_had_been_drawn():
    def numbers() -> tuple[float, float, float]:
        return float(torch.rand(1)), float(np.random.rand()), random.random()

    pl.seed_everything(3, verbose=False)
    expected = numbers()
    pl.seed_everything(3, verbose=False)
    with seeded(9):
        inside = numbers()
    assert numbers() == expected != inside
