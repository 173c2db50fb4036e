"""Stacked optimizers make the steps of torch.optim, each network with its own settings."""

import pytest
import torch
from torch import nn, optim

from lightning_hpo.errors import UserError
from lightning_hpo.stack.optimizers import StackedOptimizer

CPU = torch.device("cpu")
FACTORIES = [
    lambda p: optim.SGD(p, lr=0.1),
    lambda p: optim.SGD(p, lr=0.05, momentum=0.9),
    lambda p: optim.SGD(p, lr=0.05, momentum=0.9, dampening=0.5, weight_decay=0.1),
    lambda p: optim.SGD(p, lr=0.05, momentum=0.8, nesterov=True),
    lambda p: optim.Adam(p, lr=0.01),
    lambda p: optim.Adam(p, lr=0.02, betas=(0.8, 0.95), eps=1e-4),
    lambda p: optim.Adam(p, lr=0.02, weight_decay=0.1),
    lambda p: optim.AdamW(p, lr=0.02, weight_decay=0.1),
    lambda p: optim.RAdam(p, lr=0.01),
    lambda p: optim.RAdam(p, lr=0.03, betas=(0.8, 0.9), weight_decay=0.1),
    lambda p: optim.RAdam(p, lr=0.03, weight_decay=0.1, decoupled_weight_decay=True),
]


def gradients(n_steps: int) -> torch.Tensor:
    return torch.randn(n_steps, len(FACTORIES), 5, generator=torch.Generator().manual_seed(1))


def alone(steps: torch.Tensor) -> torch.Tensor:
    """Each network's parameters after ``steps`` of its own torch optimizer."""
    rows = []
    for index, make in enumerate(FACTORIES):
        parameter = nn.Parameter(torch.arange(5.0) - 2)
        optimizer = make([parameter])
        for grad in steps[:, index]:
            parameter.grad = grad.clone()
            optimizer.step()
        rows.append(parameter.detach())
    return torch.stack(rows)


def stacked() -> StackedOptimizer:
    return StackedOptimizer(
        [make([nn.Parameter(torch.zeros(1))]) for make in FACTORIES], device=CPU
    )


# Forty steps: the rectification of RAdam begins after a few.
def test_every_network_makes_the_steps_of_its_own_optimizer():
    steps, optimizer = gradients(40), stacked()
    flat = (torch.arange(5.0) - 2).repeat(len(FACTORIES), 1)

    for grad in steps:
        optimizer.step(flat, grad)

    torch.testing.assert_close(flat, alone(steps))


def test_networks_that_are_dropped_do_not_disturb_the_others():
    steps, optimizer = gradients(20), stacked()
    flat = (torch.arange(5.0) - 2).repeat(len(FACTORIES), 1)
    for grad in steps[:10]:
        optimizer.step(flat, grad)
    rows = torch.tensor([1, 5, 6, 9])

    optimizer.keep(rows)
    flat = flat[rows]
    for grad in steps[10:]:
        optimizer.step(flat, grad[rows])

    torch.testing.assert_close(flat, alone(steps)[rows])


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda p: optim.Adagrad(p), "Adagrad"),
        (lambda p: optim.Adam(p, amsgrad=True), "amsgrad"),
        (lambda p: optim.SGD(p, lr=0.1, maximize=True), "maximize"),
    ],
)
def test_what_cannot_be_stacked_is_named(make, named):
    with pytest.raises(UserError, match=named):
        StackedOptimizer([make([nn.Parameter(torch.zeros(1))])], device=CPU)
