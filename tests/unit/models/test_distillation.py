"""What a student learns from its teacher, and what stays its own."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from minibatch_fits import digits, trainer
from torch import Tensor, nn

from lightning_hpo.errors import UserError
from lightning_hpo.models.distillation import Distillation
from lightning_hpo.models.fc import FCClassifier

pytestmark = [
    pytest.mark.filterwarnings("ignore::UserWarning:(pytorch_)?lightning"),
]


class Says(nn.Module):
    """The same logits for every image."""

    def __init__(self, *logits: float) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.tensor(logits))

    def forward(self, x: Tensor) -> Tensor:
        return self.logits.expand(len(x), -1)


def test_the_loss_is_that_of_hinton_vinyals_and_dean() -> None:
    # Softened by T = 2 the teacher's logits (2 ln 3, 0) say 3/4 and 1/4, the student's
    # one half each: KL = 3/4 ln(3/2) + 1/4 ln(1/2), and 0.5 * 1 + 0.5 * 4 KL is the loss.
    distillation = Distillation(Says(2 * 1.0986123, 0.0), weight=0.5, temperature=2.0)
    logits = distillation.teacher(torch.zeros(3, 1, 2, 2))
    loss = distillation(logits, torch.zeros(3, 2), torch.tensor(1.0))
    kl = 0.75 * 0.4054651 + 0.25 * -0.6931472
    assert loss.item() == pytest.approx(0.5 + 2 * kl, rel=1e-5)


def test_a_teacher_that_agrees_adds_nothing_but_its_share() -> None:
    outputs = torch.tensor([[1.0, -2.0, 0.5]])
    distillation = Distillation(Says(1.0, -2.0, 0.5), weight=0.25)
    assert distillation(outputs, outputs, torch.tensor(8.0)).item() == pytest.approx(6.0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"weight": 1.5}, r"distillation.weight must lie in \[0, 1\], got 1.5"),
        ({"temperature": 0.0}, "distillation.temperature must be above 0, got 0.0"),
    ],
)
def test_values_outside_their_range_are_refused(options: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        Distillation(Says(0.0), **options)


def test_a_teacher_of_other_classes_is_refused() -> None:
    with pytest.raises(UserError, match="got 3 of the teacher and 2 of the student"):
        Distillation(Says(0.0))(torch.zeros(1, 3), torch.zeros(1, 2), torch.tensor(0.0))


def taught(**options: Any) -> FCClassifier:
    torch.manual_seed(0)
    student = FCClassifier(input_shape=(1, 8, 8), neurons_1=16, neurons_2=12, **options)
    trainer().fit(student, datamodule=digits())
    return student


def test_the_teacher_is_evaluated_not_trained_and_not_stored(tmp_path: Path) -> None:
    teacher = FCClassifier(input_shape=(1, 8, 8), dropout=0.5, batch_norm=True)
    before = {name: value.clone() for name, value in teacher.state_dict().items()}
    student = taught(distillation=Distillation(teacher))
    torch.testing.assert_close(dict(teacher.state_dict()), before, rtol=0, atol=0)
    runner = trainer()
    runner.strategy.connect(student)
    runner.save_checkpoint(tmp_path / "model.ckpt")
    opened = FCClassifier.load_from_checkpoint(tmp_path / "model.ckpt")
    torch.testing.assert_close(dict(opened.state_dict()), dict(student.state_dict()))
    assert opened.distillation is None


@pytest.mark.parametrize("steps_per_call", [1, "epoch"])
def test_without_a_share_the_teacher_changes_nothing(steps_per_call: Any) -> None:
    ignored = taught(distillation=Distillation(Says(*map(float, range(10))), weight=0.0))
    torch.testing.assert_close(
        dict(ignored.state_dict()), dict(taught(steps_per_call=steps_per_call).state_dict())
    )


@pytest.mark.parametrize("steps_per_call", [1, "epoch"])
def test_a_student_comes_to_say_what_its_teacher_says(steps_per_call: Any) -> None:
    teacher = Says(*(10.0 if k == 3 else 0.0 for k in range(10)))
    distillation = Distillation(teacher, weight=1.0, temperature=1.0)
    fast = partial(torch.optim.Adam, lr=0.02)
    student = taught(distillation=distillation, steps_per_call=steps_per_call, optimizer=fast)
    data = digits()
    data.setup("fit")
    x, _ = data.raw("val")
    probabilities = F.softmax(student(data.normalised(x)), dim=1)
    # Whatever the labels are.
    assert (probabilities.argmax(1) == 3).all()
