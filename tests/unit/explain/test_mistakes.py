"""Rules of the mistakes: literal counts and logits."""

import torch

from lightning_hpo.explain.mistakes import ConfusedPair, confident_mistakes, confused_pairs


def test_pairs_are_directed_and_ordered_by_their_count() -> None:
    counts = torch.tensor([[8, 2, 0], [3, 195, 2], [0, 0, 0]])
    # 3 of 200 of class 1 for 0, then the two pairs of 2 in the order of their rows.
    expected = [ConfusedPair(1, 0, 3, 0.015), ConfusedPair(0, 1, 2, 0.2)]
    assert confused_pairs(counts, n=2) == expected
    assert confused_pairs(counts) == [*expected, ConfusedPair(1, 2, 2, 0.01)]
    assert counts[0, 0] == 8  # as it was


def test_a_perfect_classifier_confuses_nothing() -> None:
    assert confused_pairs(torch.eye(3, dtype=torch.int64)) == []
    chosen, confidence = confident_mistakes(torch.eye(3), torch.arange(3))
    assert len(chosen) == len(confidence) == 0


def test_confident_mistakes_come_best_first() -> None:
    probabilities = torch.tensor([[0.6, 0.4], [0.9, 0.1], [0.2, 0.8], [0.3, 0.7]])
    labels = torch.tensor([1, 0, 0, 0])  # wrong: 0 with 0.6, 2 with 0.8, 3 with 0.7
    chosen, confidence = confident_mistakes(probabilities.log(), labels, n=2)
    assert chosen.tolist() == [2, 3]
    torch.testing.assert_close(confidence, torch.tensor([0.8, 0.7]))
