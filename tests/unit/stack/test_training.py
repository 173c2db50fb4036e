"""A stack of networks trains, validates and stops each of them as if it were alone."""

from dataclasses import replace
from functools import partial

import pytest
import torch
from perceptrons import EPOCHS, alone, member
from torch import nn, optim

from lightning_hpo.stack.regression import RegressionMember
from lightning_hpo.stack.training import Stack, Stopping

CPU = torch.device("cpu")


def many() -> list[RegressionMember]:
    """Different data, widths, sizes of folds, optimizers and settings."""
    return [
        member(0),
        member(1, n=11, n_val=6),
        member(2, neurons=(3, 7), make=partial(optim.SGD, lr=0.05, momentum=0.9)),
        member(3, make=partial(optim.RAdam, lr=0.05)),
        member(4, neurons=(2, 2), make=partial(optim.AdamW, lr=0.05)),
    ]


# Rule: losses, best epoch and the epoch of the stop are those of the plain loop, for each network.
@pytest.mark.parametrize("patience", [None, 4])
def test_each_network_trains_as_if_alone(patience):
    stack = Stack(many(), stopping=Stopping(patience), device=CPU)

    losses = stack.train(EPOCHS)
    ended = stack.drop(range(len(stack.ids)))

    for row, own in enumerate(many()):
        train, val, best = alone(own, patience)
        n = len(train)
        assert (ended[row].epochs, int(losses.epochs[row])) == (n, n)
        torch.testing.assert_close(losses.train[:n, row], torch.tensor(train))
        torch.testing.assert_close(losses.val[:n, row], torch.tensor(val))
        assert ended[row].best_epoch == best
        assert ended[row].best_loss == pytest.approx(val[best], rel=1e-4)
    if patience is not None:
        assert len({end.epochs for end in ended.values()}) > 1, "they stop at different epochs"


# Rule: in the end a network has the weights of its best epoch: it validates to its best loss.
def test_the_weights_of_the_best_epoch_come_back():
    members = many()
    stack = Stack(members, stopping=Stopping(4), device=CPU)
    stack.train(EPOCHS)
    ended = stack.drop(range(len(members)))

    for row, own in enumerate(members):
        with torch.no_grad():
            loss = nn.MSELoss()(own.network(own.val[0])[:, 0], own.val[1])
        assert float(loss) == pytest.approx(ended[row].best_loss, rel=1e-5)


def test_the_weights_of_the_last_epoch_are_kept_when_asked():
    (own,) = members = [member(0)]
    stack = Stack(members, stopping=Stopping(restore_best=False), device=CPU)
    losses = stack.train(EPOCHS)
    stack.drop([0])

    with torch.no_grad():
        loss = nn.MSELoss()(own.network(own.val[0])[:, 0], own.val[1])
    assert float(loss) == pytest.approx(float(losses.val[-1, 0]), rel=1e-5)


# Rule: who leaves does not disturb who stays.
def test_networks_that_leave_change_nothing_for_the_others():
    together = Stack(many(), stopping=Stopping(), device=CPU).train(EPOCHS)
    stack = Stack(many(), stopping=Stopping(), device=CPU)
    stack.train(EPOCHS // 2)
    stack.drop([0, 3])

    later = stack.train(EPOCHS // 2)

    assert stack.ids == [1, 2, 4]
    torch.testing.assert_close(later.train, together.train[EPOCHS // 2 :, [1, 2, 4]])
    torch.testing.assert_close(later.val, together.val[EPOCHS // 2 :, [1, 2, 4]])


# Rule: a network's dropout is its own: the same among others as alone.
def test_a_network_with_dropout_does_not_depend_on_its_neighbours():
    own, other = partial(member, 5, dropout=0.2), partial(member, 6, neurons=(9, 9), dropout=0.4)
    single = Stack([own()], stopping=Stopping(), device=CPU).train(EPOCHS)
    among = Stack([other(), own()], stopping=Stopping(), device=CPU).train(EPOCHS)

    torch.testing.assert_close(among.train[:, 1], single.train[:, 0], rtol=1e-3, atol=1e-4)


def test_a_network_that_diverges_leaves_its_neighbours_alone():
    wild = partial(member, 7, make=partial(optim.SGD, lr=1e9))
    healthy = Stack([member(0)], stopping=Stopping(), device=CPU).train(EPOCHS)
    both = Stack([member(0), wild()], stopping=Stopping(), device=CPU).train(EPOCHS)

    assert not both.train[:, 1].isfinite().all()
    torch.testing.assert_close(both.train[:, 0], healthy.train[:, 0])


def test_without_validation_the_last_epoch_is_the_best():
    own = member(0, n_val=0)
    stack = Stack([own], stopping=Stopping(patience=3), device=CPU)
    losses = stack.train(20)
    (end,) = stack.drop([0]).values()

    assert (end.epochs, end.best_epoch) == (20, 19)
    assert not losses.validated.any()
    with torch.no_grad():
        loss = nn.MSELoss()(own.network(own.train[0])[:, 0], own.train[1])
    assert float(loss) < float(losses.train[-1, 0])


# Rule: patience counts validations, and only epochs with one can be the best.
def test_validation_every_few_epochs():
    stack = Stack([member(0)], stopping=Stopping(patience=2, validate_every=5), device=CPU)
    losses = stack.train(EPOCHS)
    (end,) = stack.drop([0]).values()

    assert losses.validated.nonzero()[:, 0].tolist() == list(range(4, EPOCHS, 5))
    assert losses.val[:, 0].isnan().sum() == EPOCHS * 4 // 5
    assert end.best_epoch % 5 == 4
    assert end.epochs in (end.best_epoch + 1 + 10, EPOCHS)


# Rule: with dropout, stacked and serial networks agree in distribution: the means of their last
# losses over 64 seeds lie within five standard errors; without dropout the loss is far lower.
def test_with_dropout_networks_agree_with_torchs_in_distribution():
    def made(p: float) -> list[RegressionMember]:
        return [replace(member(0, neurons=(16,), dropout=p), seed=seed) for seed in range(64)]

    def last_losses(p: float) -> torch.Tensor:
        losses = Stack(made(p), stopping=Stopping(), device=CPU).train(EPOCHS)
        return torch.stack([losses.train[-1], losses.val[-1]])

    torch.manual_seed(0)
    serial = torch.tensor([[curve[-1] for curve in alone(own, None)[:2]] for own in made(0.5)]).T
    stacked, without = last_losses(0.5), last_losses(0.0)

    errors = (serial.var(1) / 64 + stacked.var(1) / 64).sqrt()
    assert ((serial.mean(1) - stacked.mean(1)).abs() < 5 * errors).all()
    assert stacked[0].mean() - without[0].mean() > 10 * errors[0]
