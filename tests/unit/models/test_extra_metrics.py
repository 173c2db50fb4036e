"""Metrics that validation and test log where they are asked for, against scikit-learn."""

import warnings

import numpy as np
import pytest
import torch
from minibatch_fits import digits, trainer
from sklearn.metrics import balanced_accuracy_score, f1_score, roc_auc_score

from lightning_hpo.errors import UserError
from lightning_hpo.models.base import ClassificationMetrics
from lightning_hpo.models.fc import FCClassifier

NAMES = ("balanced_accuracy", "auroc", "f1")
FOUR = {"train/loss", "train/accuracy", "val/loss", "val/accuracy"}

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:(pytorch_)?lightning")


# Rule: over all batches together, every class weighing the same.
def test_they_are_those_of_scikit_learn() -> None:
    torch.manual_seed(0)
    y = torch.tensor([0] * 40 + [1] * 15 + [2] * 5)
    # All in [0, 1], and no probabilities.
    logits = (torch.rand(60, 3) + torch.nn.functional.one_hot(y, 3) * 0.4) / 1.4
    metrics = ClassificationMetrics("val", 3, NAMES)
    for part in (slice(0, 32), slice(32, 60)):
        metrics.update(torch.tensor(1.0), logits[part], y[part])
    found = {name: float(value) for name, value in metrics.compute().items()}
    answers, shares = logits.argmax(1), logits.softmax(1).numpy()
    assert found["val/balanced_accuracy"] == pytest.approx(balanced_accuracy_score(y, answers))
    assert found["val/f1"] == pytest.approx(f1_score(y, answers, average="macro"))
    auroc = roc_auc_score(y, shares.astype(np.float64), multi_class="ovr")
    assert found["val/auroc"] == pytest.approx(auroc, rel=1e-5)
    metrics.reset()
    metrics.update(torch.tensor(1.0), torch.eye(3), torch.arange(3))
    assert float(metrics.compute()["val/balanced_accuracy"]) == 1.0


def logged(**options: object) -> set[str]:
    fit = trainer(max_epochs=1)
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=FutureWarning)
        model = FCClassifier(input_shape=(1, 8, 8), neurons_1=8, neurons_2=8, **options)
        fit.fit(model, datamodule=digits())
    assert all("extra" not in name for name in model.state_dict())
    return set(fit.callback_metrics)


# Rule: training logs none of them, so the summed path of many steps in a call is as it was.
@pytest.mark.parametrize("steps_per_call", [1, "epoch"])
def test_they_are_logged_where_they_are_asked_for(steps_per_call: int | str) -> None:
    assert logged(steps_per_call=steps_per_call) == FOUR
    more = {f"val/{name}" for name in NAMES}
    assert logged(steps_per_call=steps_per_call, extra_metrics=list(NAMES)) == FOUR | more


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["auc"], "must be of balanced_accuracy, auroc, f1, got 'auc'. Did you mean 'auroc'?"),
        ("f1", r"must be a list, got 'f1'; write \[f1\]."),
    ],
)
def test_what_is_none_of_them_is_refused(names: object, said: str) -> None:
    with pytest.raises(UserError, match=said):
        FCClassifier(extra_metrics=names)  # type: ignore[arg-type]
