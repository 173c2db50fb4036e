"""Schedules over the network axis give each network the rates that torch gives it alone."""

from functools import partial

import pytest
import torch
from torch import nn, optim
from torch.optim.lr_scheduler import ExponentialLR, OneCycleLR

from lightning_hpo.errors import UserError
from lightning_hpo.stack.optimizers import StackedOptimizer
from lightning_hpo.stack.schedules import StackedSchedules

HALVED = partial(ExponentialLR, gamma=0.5)


def sgd(lr: float, momentum: float = 0.0) -> optim.SGD:
    return optim.SGD([nn.Parameter(torch.zeros(1))], lr=lr, momentum=momentum)


# Rule: each network follows its own schedule, over several calls and when others have left; one
# without a schedule keeps its rate.
def test_each_network_has_the_rates_of_its_own_schedule() -> None:
    schedules = StackedSchedules(
        [sgd(8.0), sgd(1.0), sgd(4.0)], [HALVED, None, partial(ExponentialLR, gamma=0.25)]
    )
    first = schedules.rates(2)
    assert first is not None
    assert first[:, :, 0].tolist() == [[8.0, 1.0, 4.0], [4.0, 1.0, 1.0]]
    schedules.keep([1, 2])
    later = schedules.rates(1)
    assert later is not None
    assert later[:, :, 0].tolist() == [[1.0, 0.25]]


def test_without_a_schedule_there_are_no_rates() -> None:
    assert StackedSchedules([sgd(8.0)], [None]).rates(3) is None


# Rule: rates reach the networks of every kind of optimizer.
def test_updates_use_the_rates() -> None:
    plain, momentum = sgd(1.0), sgd(1.0, momentum=0.5)
    optimizers = [plain, momentum, optim.Adam([nn.Parameter(torch.zeros(1))], lr=1.0)]
    stacked = StackedOptimizer(optimizers, device=torch.device("cpu"))
    flat = torch.zeros(3, 1)
    stacked.set_rates(torch.tensor([[0.5], [0.25], [0.125]]))
    stacked.step(flat, torch.ones(3, 1))
    # Adam's first step is its rate, whatever the gradient.
    assert flat.flatten().tolist() == pytest.approx([-0.5, -0.25, -0.125])


# Rule: what a stack would ignore is refused in one line before anything trains.
def test_a_schedule_that_changes_the_momentum_is_refused() -> None:
    schedule = partial(OneCycleLR, max_lr=0.1, total_steps=10)
    schedules = StackedSchedules([sgd(1.0, momentum=0.5)], [schedule])
    with pytest.raises(UserError, match=r"rate alone.*momentum.*set cv.parallel=serial") as caught:
        schedules.rates(1)
    assert "\n" not in str(caught.value)
