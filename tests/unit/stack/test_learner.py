"""Whatever is a learner is trained by the same loop: its steps, its validations, its end."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn, optim

from lightning_hpo.stack.learner import Learner, Measures
from lightning_hpo.stack.training import Stack, Stopping


@dataclass(frozen=True)
class Point:
    """Goes down (w - target) squared from w = 0, by gradient descent with half of the gradient."""

    target: float
    weight: nn.Parameter
    optimizer: optim.Optimizer
    schedule: Any = None
    n_val: int = 1
    steps_per_epoch: int = 2
    kind: str = "point"

    @classmethod
    def at(cls, target: float) -> "Point":
        weight = nn.Parameter(torch.zeros(1))
        return cls(target, weight, optim.SGD([weight], lr=0.25))

    @staticmethod
    def among(members: Sequence["Point"], device: torch.device) -> Learner:
        return Points(torch.tensor([member.target for member in members]))


class Points(Learner):
    steps_per_epoch = 2
    validates = True

    def __init__(self, targets: Tensor) -> None:
        self.targets = targets
        weights = torch.zeros(len(targets), 1)
        self.network = SimpleNamespace(flat=weights, grad=weights.clone())

    def gradients(self, epoch: int) -> Iterator[None]:
        for _ in range(self.steps_per_epoch):
            self._loss = self._error().square()
            self.grad.copy_(2 * self._error()[:, None])
            yield

    def trained(self) -> Measures:
        return {"loss": self._loss}

    def validated(self) -> tuple[Measures, Tensor]:
        return {"loss": self._error().square()}, self.flat.clone()

    def hand_back(self, member: Point, row: int, flat: Tensor) -> None:
        member.weight.data.copy_(flat[row])

    def keep(self, rows: Tensor) -> None:
        self.targets = self.targets[rows]
        self.network = SimpleNamespace(flat=self.flat[rows], grad=self.grad[rows])

    def _error(self) -> Tensor:
        return self.flat[:, 0] - self.targets


# Rule: an optimizer step follows each gradient, a validation each epoch; half of the gradient
# halves the distance, so two steps leave a quarter, and a sixteenth of the loss.
def test_a_step_follows_each_gradient() -> None:
    members = [Point.at(1.0), Point.at(-4.0)]
    stack = Stack(members, stopping=Stopping(), device=torch.device("cpu"), tells_outputs=True)
    losses = stack.train(2)
    assert losses.train.tolist() == [[0.25, 4.0], [0.25 / 16, 4.0 / 16]]
    assert losses.val.tolist() == [[1 / 16, 1.0], [1 / 256, 1 / 16]]
    assert losses.outputs[0].tolist() == [[0.75], [-3.0]]
    stack.drop([0, 1])
    assert [member.weight.item() for member in members] == [1 - 1 / 16, -4 + 4 / 16]


def test_who_leaves_has_its_weights_and_the_others_go_on() -> None:
    members = [Point.at(1.0), Point.at(-4.0)]
    stack = Stack(members, stopping=Stopping(), device=torch.device("cpu"))
    stack.train(1)
    stack.drop([0])
    assert stack.train(1).val.tolist() == [[1 / 16]]
    assert members[0].weight.item() == pytest.approx(0.75)
