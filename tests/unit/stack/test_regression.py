"""Perceptrons that fit numbers as one stack: inputs and targets of each are its own."""

from dataclasses import replace

import torch
from perceptrons import EPOCHS, alone, member

from lightning_hpo.stack.regression import RegressionMember
from lightning_hpo.stack.training import Stack, Stopping

CPU = torch.device("cpu")


# Rule: so it is beside networks with other inputs, as where the training rows of a fold lack a
# category.
def test_networks_may_have_different_inputs():
    def made() -> list[RegressionMember]:
        return [member(seed, inputs=inputs) for seed, inputs in enumerate((3, 1, 2))]

    members = made()
    stack = Stack(members, stopping=Stopping(restore_best=False), device=CPU)
    losses = stack.train(EPOCHS)
    stack.drop(range(3))
    for row, own in enumerate(made()):
        train, val, _ = alone(own, None)
        torch.testing.assert_close(losses.train[:, row], torch.tensor(train))
        torch.testing.assert_close(losses.val[:, row], torch.tensor(val))
        kept, trained = members[row].network[0].weight, own.network[0].weight
        torch.testing.assert_close(kept, trained, rtol=1e-3, atol=1e-4)


def scaled(member: RegressionMember) -> RegressionMember:
    """The same network on the same targets in other units."""
    (x, y), (val_x, val_y) = member.train, member.val
    train, val = (x, y * 80_000 + 200_000), (val_x, val_y * 80_000 + 200_000)
    return replace(member, train=train, val=val, target_scale=(200_000.0, 80_000.0))


# Rule: a scale is in losses and outputs, not in what is learnt; one beside it has its own, or none.
def test_a_network_with_a_scaled_target_learns_what_it_learns_without():
    stopping = Stopping(patience=None)
    plain = Stack([member(0), member(1)], stopping=stopping, device=CPU, tells_outputs=True)
    ours = Stack([scaled(member(0)), member(1)], stopping=stopping, device=CPU, tells_outputs=True)
    first, second = plain.train(9), ours.train(9)
    unit = torch.tensor([80_000.0**2, 1.0])
    torch.testing.assert_close(second.train, first.train * unit, rtol=1e-3, atol=0)
    torch.testing.assert_close(second.val, first.val * unit, rtol=1e-3, atol=0)
    in_units = first.outputs[-1][0] * 80_000 + 200_000
    torch.testing.assert_close(second.outputs[-1][0], in_units, rtol=1e-3, atol=1)
    ours.drop([1])
    assert ours.train(1).train.shape == (1, 1)
    assert ours.train(1).val[0, 0] > 80_000
