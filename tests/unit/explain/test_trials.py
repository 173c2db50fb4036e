"""Which samples tell trials apart."""

import torch

from lightning_hpo.explain.trials import telling_samples


# Rule: of each class the first sample that the networks take for different classes, else the first.
def test_disputed_samples_come_first() -> None:
    predicted_tn = torch.tensor([[0, 1, 0, 1, 2], [0, 1, 0, 2, 0], [0, 1, 1, 0, 2]])
    labels_n = torch.tensor([0, 1, 0, 1, 2])
    # Disputed are the last three.
    assert telling_samples(predicted_tn, labels_n, n=3).tolist() == [2, 3, 4]
    assert telling_samples(predicted_tn, labels_n, n=2).tolist() == [2, 3]
    assert telling_samples(predicted_tn[:2], labels_n, n=3).tolist() == [3, 4, 0]
    assert telling_samples(predicted_tn[:1], labels_n, n=5).tolist() == [0, 1, 4]
