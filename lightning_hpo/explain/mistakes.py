"""Where a classifier errs: its most confused pairs of classes, its most confident mistakes.

Pure functions of counts, logits and labels. Shapes: N samples, K classes.
"""

from typing import NamedTuple

from torch import Tensor


class ConfusedPair(NamedTuple):
    """``n`` samples of class ``true`` were predicted as ``predicted``; their ``share`` of it."""

    true: int
    predicted: int
    n: int
    share: float


def confused_pairs(counts_kk: Tensor, *, n: int = 8) -> list[ConfusedPair]:
    """The ``n`` pairs with most mistakes, most first; fewer if there are fewer.

    ``counts_kk[i, j]`` samples of class i were predicted as j. Each direction is a pair of its own:
    shirts taken for coats are not coats taken for shirts.
    """
    wrong_kk = counts_kk.clone().fill_diagonal_(0)
    order = wrong_kk.flatten().sort(descending=True, stable=True).indices[:n].tolist()
    k = len(counts_kk)
    found = [(index // k, index % k, int(wrong_kk.flatten()[index])) for index in order]
    totals = counts_kk.sum(dim=1).tolist()
    return [ConfusedPair(i, j, count, count / totals[i]) for i, j, count in found if count]


def confident_mistakes(logits_nk: Tensor, labels_n: Tensor, *, n: int = 6) -> tuple[Tensor, Tensor]:
    """Indices of the ``n`` wrong predictions of largest probability, best first, and those (n,)."""
    confidence_n, predicted_n = logits_nk.float().softmax(dim=1).max(dim=1)
    wrong = (predicted_n != labels_n).nonzero()[:, 0]
    order = confidence_n[wrong].sort(descending=True, stable=True).indices[:n]
    chosen = wrong[order]
    return chosen, confidence_n[chosen]
