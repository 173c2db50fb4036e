"""Steps that are captured in a CUDA graph change no weight."""

from functools import partial
from typing import Any

import pytest
import torch
from minibatch_fits import KEYS, digits, trainer

from lightning_hpo.errors import UserError
from lightning_hpo.models.cnn import CNNClassifier
from lightning_hpo.models.cuda_graph import make_capturable
from lightning_hpo.models.schedules import one_cycle

pytestmark = [
    # Lightning's advice on idle hardware, and its note on a loader without workers.
    pytest.mark.filterwarnings("ignore::UserWarning:(pytorch_)?lightning"),
]


def test_an_optimizer_made_capturable_steps_as_before_and_its_schedule_fills_the_rate() -> None:
    ends = []
    for capturable in (False, True):
        weight = torch.nn.Parameter(torch.ones(4))
        optimizer = torch.optim.SGD([weight], lr=0.1, momentum=0.9, weight_decay=0.01)
        schedule = one_cycle(optimizer, total_steps=5)
        if capturable:
            make_capturable(optimizer, torch.device("cpu"))
        rate = optimizer.param_groups[0]["lr"]
        for _ in range(5):
            optimizer.zero_grad()
            weight.square().sum().backward()
            optimizer.step()
            schedule.step()
        ends.append(weight.detach())
    torch.testing.assert_close(*ends)
    assert optimizer.param_groups[0]["lr"] is rate


def test_an_optimizer_that_cannot_be_captured_is_refused() -> None:
    optimizer = torch.optim.LBFGS([torch.nn.Parameter(torch.ones(1))])
    with pytest.raises(UserError, match="cannot capture LBFGS; use optimizer=adam, adamw, radam"):
        make_capturable(optimizer, torch.device("cpu"))


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
@pytest.mark.parametrize("optimizer", [torch.optim.Adam, torch.optim.RAdam, torch.optim.SGD])
def test_a_captured_graph_gives_the_same_weights(optimizer: Any, precision: str) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    ends = []
    for options in ({}, {"steps_per_call": "epoch"}, {"steps_per_call": "epoch", "cuda_graph": 1}):
        torch.manual_seed(0)
        model = CNNClassifier(
            input_shape=(1, 8, 8),
            optimizer=partial(optimizer, lr=0.005),
            scheduler=one_cycle,
            **options,  # type: ignore[arg-type]
        )
        runner = trainer(accelerator="gpu", precision=precision)
        runner.fit(model, datamodule=digits())
        metrics = {key: runner.callback_metrics[key].item() for key in KEYS}
        ends.append((model.cpu().state_dict(), metrics))
    # Adam's step has the size of the rate however small a gradient, whose sign rounding may decide:
    # single weights go elsewhere, and with them single samples of a few.
    by_sign = optimizer is torch.optim.Adam and precision == "bf16-mixed"
    for weights, metrics in ends[1:]:
        if by_sign:
            assert _share_apart(weights, ends[0][0], atol=5e-3) < 1e-3
        else:
            torch.testing.assert_close(weights, ends[0][0], rtol=1e-2, atol=1e-3)
        known = [key for key in KEYS if not by_sign or key.endswith("loss")]
        expected = pytest.approx([ends[0][1][key] for key in known], rel=1e-2)
        assert [metrics[key] for key in known] == expected


def _share_apart(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor], *, atol: float) -> float:
    """How many of all numbers differ, as a share."""
    apart = torch.cat([~torch.isclose(a[k], b[k], rtol=1e-2, atol=atol).flatten() for k in b])
    return apart.double().mean().item()
