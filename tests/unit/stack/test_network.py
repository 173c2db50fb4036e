"""The stacked perceptron computes what each network computes alone, forwards and backwards."""

from itertools import pairwise

import pytest
import torch
from torch import nn

from lightning_hpo.stack.network import StackedMLP

CPU = torch.device("cpu")


def perceptron(*sizes: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for n_in, n_out in pairwise(sizes[:-1]):
        layers += [nn.Linear(n_in, n_out), nn.ReLU(), nn.Dropout(0.3)]
    return nn.Sequential(*layers, nn.Linear(sizes[-2], sizes[-1])).eval()


@pytest.fixture(params=[1, 3], ids=["one_input", "three_inputs"])
def networks(request):
    torch.manual_seed(0)
    n_inputs = request.param
    return [perceptron(n_inputs, 5, 4, 1), perceptron(n_inputs, 2, 7, 1)]


def test_predictions_are_those_of_each_network(networks):
    stacked = StackedMLP.of(networks, device=CPU)
    x = torch.randn(2, 6, networks[0][0].in_features)

    predicted = stacked(x)

    for index, network in enumerate(networks):
        torch.testing.assert_close(predicted[index], network(x[index]).squeeze(1))


# Rule: the written-out gradient is autograd's, also through dropout and for samples that count
# differently or, with share 0, not at all.
@pytest.mark.parametrize("dropout", [False, True])
def test_the_gradient_is_autograds(networks, dropout):
    stacked = StackedMLP.of(networks, device=CPU)
    x, y = torch.randn(2, 6, networks[0][0].in_features), torch.randn(2, 6)
    share = torch.tensor([[1 / 6] * 6, [1 / 4] * 4 + [0.0] * 2])
    masks = [torch.randint(0, 2, (2, 6, w)) * 1.25 for w in (5, 7)] if dropout else None

    losses = stacked.gradient(x, y, share, masks)

    for index, network in enumerate(networks):
        hidden = x[index]
        for layer, linear in enumerate(m for m in network if isinstance(m, nn.Linear)):
            hidden = linear(hidden)
            if layer < 2:
                hidden = hidden.relu()
                if masks is not None:
                    hidden = hidden * masks[layer][index, :, : hidden.shape[1]]
        loss = (share[index] * (hidden.squeeze(1) - y[index]) ** 2).sum()
        loss.backward()
        torch.testing.assert_close(losses[index], loss.detach())
        got = perceptron(*stacked.sizes[index])
        stacked.copy_to(got, index, stacked.grad)
        for parameter, gradient in zip(network.parameters(), got.parameters(), strict=True):
            torch.testing.assert_close(gradient.detach(), parameter.grad)


# Rule: what pads a narrow network is zero and gets no gradient, so it stays zero.
def test_padding_has_no_gradient(networks):
    stacked = StackedMLP.of(networks, device=CPU)
    stacked.gradient(torch.randn(2, 6, stacked.widest[0]), torch.randn(2, 6), torch.ones(2, 6))

    assert stacked.widest[1:] == (5, 7, 1)
    for index, network in enumerate(networks):
        n_own = sum(p.numel() for p in network.parameters())
        assert int(stacked.flat[index].count_nonzero()) <= n_own
        assert not stacked.grad[index][stacked.flat[index] == 0].any()


def test_a_network_comes_back_as_it_went_in(networks):
    stacked = StackedMLP.of(networks, device=CPU)
    back = perceptron(*stacked.sizes[1])

    stacked.copy_to(back, 1)

    for mine, theirs in zip(back.parameters(), networks[1].parameters(), strict=True):
        assert torch.equal(mine, theirs)


def test_keep_drops_the_other_networks(networks):
    stacked = StackedMLP.of(networks, device=CPU)
    x = torch.randn(2, 6, stacked.widest[0])
    before = stacked(x)

    stacked.keep(torch.tensor([1]))

    assert stacked.sizes == [(stacked.widest[0], 2, 7, 1)]
    torch.testing.assert_close(stacked(x[1:]), before[1:])
