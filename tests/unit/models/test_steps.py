"""One optimizer step on a minibatch, against the same step by hand."""

import torch
from torch import Tensor, nn

from lightning_hpo.models.steps import EagerStep, ObservesMinibatches


class Metrics:
    """Sums of loss and of predictions, and what was handed over."""

    def __init__(self) -> None:
        self.added: list[tuple[list[float], int]] = []

    def sums(self, loss: Tensor, outputs: Tensor, y: Tensor) -> Tensor:
        assert not (loss.requires_grad or outputs.requires_grad)
        return torch.stack([loss * len(y), outputs.sum()])

    def add(self, sums: Tensor, n: int) -> None:
        self.added.append((sums.tolist(), n))


class Module(nn.Module):
    """y = w x with the squared error, from w = 1."""

    device = torch.device("cpu")
    trainer = None

    def __init__(self, optimizers: object = None) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))
        self.train_metrics = Metrics()
        self._optimizer = optimizers or torch.optim.SGD(self.parameters(), lr=0.25)

    def forward(self, x: Tensor) -> Tensor:
        return self.weight * x

    def fitted_loss(self, x: Tensor, outputs: Tensor, y: Tensor) -> Tensor:
        return (outputs - y).square().mean()

    def optimizers(self) -> object:
        return self._optimizer

    def lr_schedulers(self) -> object:
        return None

    def manual_backward(self, loss: Tensor) -> None:
        loss.backward()


def test_a_step_is_forward_backward_and_the_optimizers() -> None:
    module = Module()
    step = EagerStep(module)
    # The loss is (w - 3)^2: its slope at w = 1 is -4, at w = 2 it is -2.
    for weight in (2.0, 2.5):
        step(torch.ones(4), torch.full((4,), 3.0))
        assert module.weight.item() == weight


# Rule: sums of all steps are handed over at once, and counted once.
def test_metrics_get_the_sums_of_the_steps_since_the_last_time() -> None:
    module = Module()
    step = EagerStep(module)
    step(torch.ones(4), torch.full((4,), 3.0))  # loss 4 of 4 samples, outputs 1
    step(torch.ones(2), torch.full((2,), 3.0))  # loss 1 of 2 samples, outputs 2
    assert module.train_metrics.added == []
    step.flush()
    assert module.train_metrics.added == [([18.0, 8.0], 6)]
    step.flush()
    assert len(module.train_metrics.added) == 1
    step(torch.ones(1), torch.full((1,), 3.0))  # loss 0.25, output 2.5
    step.flush()
    assert module.train_metrics.added[1:] == [([0.25, 2.5], 1)]


# Rule: inside autocast the forward pass is cast, but the weights and their gradients are not.
def test_under_autocast_weights_stay_as_they_are() -> None:
    module = Module()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        EagerStep(module)(torch.ones(4), torch.full((4,), 3.0))
    assert module.weight.dtype == torch.float32
    assert module.weight.item() == 2.0


def test_a_callback_that_wants_to_hear_of_each_step_is_known_by_its_method() -> None:
    class Hears:
        def on_minibatch_end(self, trainer: object, pl_module: object) -> None:
            raise AssertionError("not called here")

    assert isinstance(Hears(), ObservesMinibatches)
    assert not isinstance(object(), ObservesMinibatches)
