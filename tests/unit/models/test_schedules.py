"""Schedules against torch's own, by step; and the optimizer's rate is the largest."""

from functools import partial
from typing import Any

import pytest
import torch
from quiet import quiet_trainer
from torch.optim import SGD, Optimizer
from torch.optim.lr_scheduler import CosineAnnealingLR, LRScheduler, OneCycleLR

from lightning_hpo.errors import UserError
from lightning_hpo.models.fc import FCClassifier
from lightning_hpo.models.schedules import cosine, one_cycle


def optimizer(lr: float = 0.1) -> Optimizer:
    return SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr)


def rates(schedule: LRScheduler, steps: int) -> list[float]:
    """The learning rate in each step."""
    found = []
    for _ in range(steps):
        found.append(schedule.optimizer.param_groups[0]["lr"])
        schedule.optimizer.step()
        schedule.step()
    return found


def test_one_cycle_is_torchs_with_the_optimizers_rate_as_the_largest() -> None:
    theirs = OneCycleLR(optimizer(), max_lr=0.1, total_steps=40, cycle_momentum=False)
    # torch refuses the step after the last one, which Lightning takes.
    expected = [*rates(theirs, 39), theirs.optimizer.param_groups[0]["lr"]]
    assert rates(one_cycle(optimizer(), total_steps=40), 40) == pytest.approx(expected)


def test_cosine_is_torchs_and_reaches_its_end_in_the_last_step() -> None:
    theirs = CosineAnnealingLR(optimizer(), T_max=19, eta_min=0.01)
    ours = rates(cosine(optimizer(), total_steps=20, final=0.1), 20)
    assert ours == pytest.approx(rates(theirs, 20))
    assert (ours[0], ours[-1]) == pytest.approx((0.1, 0.01))


def test_a_warmup_rises_evenly_to_the_full_rate() -> None:
    found = rates(cosine(optimizer(1.0), total_steps=20, warmup=0.2), 20)
    assert found[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert found[-1] == pytest.approx(0.0)
    assert max(found) == 1.0


@pytest.mark.parametrize("schedule", [cosine, one_cycle])
@pytest.mark.parametrize("steps", [1, 2, 3])
def test_short_fits_have_finite_rates_that_are_not_above_the_full_one(
    schedule: Any, steps: int
) -> None:
    found = rates(schedule(optimizer(1.0), total_steps=steps), steps + 1)
    assert all(0 <= rate <= 1 for rate in found)
    assert found[0] > 0


@pytest.mark.parametrize(
    ("schedule", "options", "message"),
    [
        (cosine, {"warmup": 1.0}, r"scheduler.warmup must lie in \[0, 1\), got scheduler.warmup=1"),
        (cosine, {"final": -0.1}, "scheduler.final=-0.1"),
        (one_cycle, {"initial": 2}, "scheduler.initial=2"),
    ],
)
def test_a_share_out_of_range_is_refused(schedule: Any, options: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        schedule(optimizer(), total_steps=10, **options)


@pytest.mark.filterwarnings("ignore::UserWarning:(pytorch_)?lightning")
@pytest.mark.parametrize("steps_per_call", [1, "epoch"])
def test_the_fit_tells_the_schedule_its_length(steps_per_call: Any) -> None:
    # 10 samples in batches of 4: 3 steps in each of 2 epochs.
    x, y = torch.randn(10, 1, 8, 8), torch.arange(10) % 3
    from lightning_hpo.data.loader import TensorLoader

    loader = TensorLoader(
        x, y, torch.arange(10), batch_size=4, prepare=lambda x: x, steps_per_call=steps_per_call
    )
    lengths = []

    def spy(optimizer: Optimizer, *, total_steps: int) -> LRScheduler:
        lengths.append(total_steps)
        return cosine(optimizer, total_steps=total_steps)

    model = FCClassifier(
        input_shape=(1, 8, 8),
        num_classes=3,
        optimizer=partial(SGD, lr=0.1),
        scheduler=spy,
        steps_per_call=steps_per_call,
    )
    runner = quiet_trainer(
        max_epochs=2,
        limit_val_batches=0,
    )
    runner.fit(model, loader)
    assert lengths == [6]
    assert runner.optimizers[0].param_groups[0]["lr"] == pytest.approx(0.0)
