"""Small perceptrons for a stack, and the plainest loop that trains one of them alone."""

from functools import partial

import torch
from torch import nn, optim

from lightning_hpo.models.mlp import MLPRegressor
from lightning_hpo.stack.regression import RegressionMember

EPOCHS = 60


def member(
    seed: int, *, n=12, inputs=1, neurons=(6, 4), make=None, dropout=0.0, n_val=5
) -> RegressionMember:
    torch.manual_seed(seed)
    module = MLPRegressor(input_shape=(inputs,), neurons=neurons, dropout=dropout)
    make = make or partial(optim.Adam, lr=0.02)
    x, val_x = torch.randn(n, inputs), torch.randn(n_val, inputs)
    y, val_y = torch.sin(2 * x[:, 0]), torch.sin(2 * val_x[:, 0]) + 0.3 * torch.randn(n_val)
    return RegressionMember(
        module.network,
        make(module.parameters()),
        dropout,
        seed,
        (x, y),
        (val_x, val_y) if n_val else None,
    )


def alone(member: RegressionMember, patience: int | None) -> tuple[list[float], list[float], int]:
    """The plainest loop there is: training and validation losses, and the best epoch."""
    network, loss_of = member.network, nn.MSELoss()
    train, val, best, waited = [], [], 0, 0
    for epoch in range(EPOCHS):
        network.train()
        loss = loss_of(network(member.train[0])[:, 0], member.train[1])
        member.optimizer.zero_grad()
        loss.backward()
        member.optimizer.step()
        train.append(loss.item())
        network.eval()
        with torch.no_grad():
            val.append(loss_of(network(member.val[0])[:, 0], member.val[1]).item())
        improved = epoch == 0 or val[-1] < val[best]
        best, waited = (epoch, 0) if improved else (best, waited + 1)
        if waited == patience:
            break
    return train, val, best
