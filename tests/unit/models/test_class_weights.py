"""Weights of the classes: of the training loss alone, given or by the samples that train."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from minibatch_fits import digits, trainer
from sklearn.utils.class_weight import compute_class_weight

from lightning_hpo.errors import UserError
from lightning_hpo.models.class_weights import balanced
from lightning_hpo.models.fc import FCClassifier

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:(pytorch_)?lightning")
LOGITS = torch.tensor([[2.0, 0.0], [0.0, 0.0], [1.0, 3.0]])
Y = torch.tensor([0, 0, 1])


# Rule: what is compared between trials, the loss of validation and test, does not know them.
def test_they_are_of_the_training_loss_alone() -> None:
    model = FCClassifier(num_classes=2, class_weights=[1, 3])
    each = F.cross_entropy(LOGITS, Y, reduction="none")
    expected = (each[0] + each[1] + 3 * each[2]) / 5
    assert torch.allclose(model.training_loss(LOGITS, Y), expected)
    assert torch.allclose(model.loss(LOGITS, Y), each.mean())
    plain = FCClassifier(num_classes=2)
    assert torch.equal(plain.training_loss(LOGITS, Y), plain.loss(LOGITS, Y))
    assert "class_weights" not in model.hparams


def test_balanced_weights_are_scikit_learns() -> None:
    labels = np.repeat([0, 1, 2], [8, 3, 1])
    expected = compute_class_weight("balanced", classes=np.arange(3), y=labels)
    found = balanced(SimpleNamespace(class_counts=[8, 3, 1]))
    assert found.tolist() == pytest.approx([0.5, 4 / 3, 4.0])
    assert found.tolist() == pytest.approx(expected.tolist())
    # One without samples weighs nothing.
    assert balanced(SimpleNamespace(class_counts=[2, 0])).tolist() == [0.5, 0.0]


@pytest.mark.parametrize("steps_per_call", [1, "epoch"])
def test_a_fit_counts_the_samples_that_train(steps_per_call: int | str) -> None:
    data, fit = digits(), trainer(max_epochs=1)
    model = FCClassifier(
        input_shape=(1, 8, 8),
        neurons_1=8,
        neurons_2=8,
        class_weights="balanced",
        steps_per_call=steps_per_call,  # type: ignore[arg-type]
    )
    fit.fit(model, datamodule=data)
    assert sum(data.class_counts) == 270
    assert model.weights_k is not None
    weighed = model.weights_k * torch.tensor(data.class_counts)
    assert weighed.tolist() == pytest.approx([27.0] * 10)


@pytest.mark.parametrize("weights", [[1.0], [1, -1], "equal", [1, "2"]])
def test_other_weights_are_refused(weights: object) -> None:
    with pytest.raises(UserError, match="must be null, balanced or 2 numbers of at least 0"):
        FCClassifier(num_classes=2, class_weights=weights)  # type: ignore[arg-type]


def test_data_that_do_not_count_cannot_balance() -> None:
    with pytest.raises(UserError, match=r"class_counts how many .*, got SimpleNamespace; give"):
        balanced(SimpleNamespace(num_classes=2))
