"""Dropout streams: the right share is dropped, and a network's stream is its own."""

import torch

from lightning_hpo.stack.dropout import DropoutStreams

CPU = torch.device("cpu")


def streams(seeds, probabilities, widths=(40, 20), n_samples=100):
    return DropoutStreams(seeds, probabilities, n_samples=n_samples, widths=widths, device=CPU)


# Rule: a mask is 0 with probability p and 1 / (1 - p) otherwise. Standard error of the share over
# 400,000 decisions: below 0.0008.
def test_the_share_dropped_is_the_probability():
    drawn = streams([1, 2, 3], [0.0, 0.1, 0.5], widths=(4000,)).masks(epoch=0)[0]

    shares = (drawn == 0).double().mean((1, 2))
    torch.testing.assert_close(shares, torch.tensor([0.0, 0.1, 0.5]).double(), atol=0.004, rtol=0)
    assert shares[0] == 0
    torch.testing.assert_close(drawn.mean((1, 2)), torch.ones(3), atol=0.008, rtol=0)
    assert {round(v, 3) for v in drawn[2].unique().tolist()} == {0.0, 2.0}


# Rule: decisions are independent: neighbours in any direction agree by chance only.
def test_neighbouring_decisions_are_uncorrelated():
    kept = [streams([7], [0.5], widths=(1000, 1000)).masks(epoch=e) for e in (0, 1)]
    (a, b), (c, _) = [[m[0] > 0 for m in masks] for masks in kept]

    pairs = [(a[:, :-1], a[:, 1:]), (a[:-1], a[1:]), (a, b), (a, c)]
    for left, right in pairs:
        assert abs((left == right).double().mean() - 0.5) < 0.008  # five standard errors


# Rule: what a network drops depends neither on its neighbours nor on how far it is padded.
def test_a_stream_is_its_networks_own():
    alone = streams([5], [0.3], widths=(11, 6)).masks(epoch=9)
    among = streams([4, 5], [0.1, 0.3], widths=(40, 20), n_samples=120).masks(epoch=9)

    for own, shared in zip(alone, among, strict=True):
        n, width = own.shape[1:]
        assert torch.equal(own[0], shared[1, :n, :width])


def test_seeds_epochs_and_layers_differ():
    a, b = (streams([s], [0.5], widths=(20, 20)).masks(epoch=3) for s in (1, 2))
    later = streams([1], [0.5], widths=(20, 20)).masks(epoch=4)

    assert not torch.equal(a[0], b[0])
    assert not torch.equal(a[0], a[1])
    assert not torch.equal(a[0], later[0])


def test_nothing_is_drawn_where_nothing_is_dropped():
    assert streams([1, 2], [0.0, 0.0]).masks(epoch=0) is None


def test_keep_leaves_the_other_streams_as_they_are():
    both = streams([1, 2], [0.2, 0.4])
    before = both.masks(epoch=5)

    both.keep(torch.tensor([1]))

    for old, new in zip(before, both.masks(epoch=5), strict=True):
        assert torch.equal(old[1:], new)
