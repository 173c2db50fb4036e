"""Many minibatches in a call give what Lightning's own loop gives; what they cannot is refused."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from minibatch_fits import KEYS, digits, trainer
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from lightning_hpo.data.loader import Minibatches
from lightning_hpo.errors import UserError
from lightning_hpo.flavour import pl
from lightning_hpo.models.cnn import CNNClassifier
from lightning_hpo.models.fc import FCClassifier
from lightning_hpo.models.schedules import one_cycle

pytestmark = [
    # Lightning's advice on idle hardware, and its note on a loader without workers.
    pytest.mark.filterwarnings("ignore::UserWarning:(pytorch_)?lightning"),
]


def fitted(
    kind: Callable[..., FCClassifier | CNNClassifier], **options: Any
) -> tuple[dict[str, Tensor], dict[str, float]]:
    """Weights and metrics after two epochs from seed 0."""
    settings = {key: options.pop(key) for key in ("precision", "callbacks") if key in options}
    torch.manual_seed(0)
    model = kind(input_shape=(1, 8, 8), neurons_1=16, neurons_2=12, **options)
    runner = trainer(**settings)
    runner.fit(model, datamodule=digits())
    metrics = {key: runner.callback_metrics[key].item() for key in KEYS}
    return {name: value.clone() for name, value in model.state_dict().items()}, metrics


@pytest.mark.parametrize("steps_per_call", [2, 9, 100, "epoch"])
def test_any_number_of_steps_per_call_gives_the_same_weights(steps_per_call: int | str) -> None:
    weights, metrics = fitted(FCClassifier, dropout=0.2)
    ours, our_metrics = fitted(FCClassifier, dropout=0.2, steps_per_call=steps_per_call)
    torch.testing.assert_close(ours, weights)
    assert our_metrics == pytest.approx(metrics)


@pytest.mark.parametrize(
    "optimizer",
    [
        partial(torch.optim.SGD, lr=0.05, momentum=0.9),
        partial(torch.optim.Adam, lr=0.01),
        partial(torch.optim.RAdam, lr=0.01),
    ],
    ids=["sgd", "adam", "radam"],
)
def test_optimizers_and_the_schedule_advance_as_in_lightnings_loop(optimizer: Any) -> None:
    options = {"optimizer": optimizer, "scheduler": one_cycle, "batch_norm": True}
    weights, metrics = fitted(FCClassifier, **options)
    ours, our_metrics = fitted(FCClassifier, **options, steps_per_call="epoch")
    torch.testing.assert_close(ours, weights)
    assert our_metrics == pytest.approx(metrics)
    constant, _ = fitted(FCClassifier, **(options | {"scheduler": None}))
    assert not torch.allclose(constant["classifier.1.weight"], weights["classifier.1.weight"])


def test_mixed_precision_casts_the_weights_anew_for_each_step() -> None:
    weights, metrics = fitted(CNNClassifier, precision="bf16-mixed")
    ours, our_metrics = fitted(CNNClassifier, precision="bf16-mixed", steps_per_call="epoch")
    torch.testing.assert_close(ours, weights, rtol=1e-3, atol=1e-4)
    assert our_metrics == pytest.approx(metrics, rel=1e-3)
    assert {value.dtype for name, value in ours.items() if "weight" in name} == {torch.float32}


def test_a_second_fit_gets_an_optimizer_of_its_own() -> None:
    torch.manual_seed(0)
    model = FCClassifier(input_shape=(1, 8, 8), steps_per_call="epoch")
    start = {name: value.clone() for name, value in model.state_dict().items()}
    ends = []
    for _ in range(2):
        model.load_state_dict(start)
        trainer().fit(model, datamodule=digits())
        ends.append({name: value.clone() for name, value in model.state_dict().items()})
    torch.testing.assert_close(ends[0], ends[1])


def test_one_call_takes_the_steps_it_says_and_the_last_one_the_rest() -> None:
    sizes: list[int] = []

    class Calls(pl.Callback):
        def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, i: int) -> None:
            assert isinstance(batch, Minibatches)
            sizes.append(len(batch))

    fitted(FCClassifier, steps_per_call=4, callbacks=[Calls()])
    assert sizes == [4, 4, 1] * 2


def test_callbacks_hear_of_each_minibatch() -> None:
    steps: list[int] = []

    class Counter(pl.Callback):
        def on_minibatch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
            steps.append(trainer.global_step)

    fitted(FCClassifier, steps_per_call="epoch", callbacks=[Counter()])
    assert steps == list(range(1, 19))


def test_a_loader_of_the_users_own_hands_over_one_minibatch_at_a_time() -> None:
    torch.manual_seed(0)
    x, y = torch.randn(10, 1, 8, 8), torch.arange(10) % 3
    batches = DataLoader(TensorDataset(x, y), batch_size=4)
    ends = []
    for steps in (1, 7):
        torch.manual_seed(0)
        model = FCClassifier(input_shape=(1, 8, 8), num_classes=3, steps_per_call=steps)
        trainer().fit(model, batches, batches)
        ends.append(model.state_dict())
    torch.testing.assert_close(ends[0], ends[1])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"gradient_clip_val": 1.0}, "gradient_clip_val to be None, got trainer.*=1.0"),
        ({"accumulate_grad_batches": 2}, "accumulate_grad_batches to be 1, got .*=2"),
        ({"max_steps": 10}, "max_steps to be -1, got trainer.max_steps=10"),
        ({"val_check_interval": 0.5}, "val_check_interval to be 1.0, got .*=0.5"),
        ({"limit_train_batches": 3}, "limit_train_batches to be 1.0, got .*=3 batches"),
        ({"limit_train_batches": 1}, "limit_train_batches to be 1.0, got .*=1 batches"),
        ({"limit_train_batches": 0.5}, "limit_train_batches to be 1.0, got .*=0.5"),
    ],
)
def test_what_the_loop_would_ignore_is_refused_in_one_line(settings: dict, message: str) -> None:
    model = FCClassifier(input_shape=(1, 8, 8), steps_per_call="epoch")
    with pytest.raises(UserError, match=message) as caught:
        trainer(**settings).fit(model, datamodule=digits())
    assert "use model.steps_per_call=1" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_lightnings_own_loop_takes_all_of_them() -> None:
    model = FCClassifier(input_shape=(1, 8, 8))
    trainer(gradient_clip_val=1.0, accumulate_grad_batches=2, limit_train_batches=4).fit(
        model, datamodule=digits()
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps_per_call": 0}, "integer of at least 1 or 'epoch', got steps_per_call=0"),
        ({"steps_per_call": 1.5}, "got steps_per_call=1.5"),
        ({"steps_per_call": "all"}, "got steps_per_call=all"),
        ({"cuda_graph": True}, "needs many steps in one call, got steps_per_call=1"),
    ],
)
def test_a_wrong_setting_is_named_with_its_rule(options: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        FCClassifier(**options)


def test_a_graph_is_refused_where_there_is_no_gpu() -> None:
    model = FCClassifier(input_shape=(1, 8, 8), steps_per_call="epoch", cuda_graph=True)
    with pytest.raises(UserError, match="needs a CUDA GPU, but the trial runs on the cpu; use"):
        trainer().fit(model, datamodule=digits())


def test_sums_over_batches_give_the_metrics_of_their_samples() -> None:
    # What a captured step accumulates in place of the metrics' own updates.
    torch.manual_seed(0)
    metrics = FCClassifier(num_classes=3).train_metrics
    logits, y = torch.randn(20, 3), torch.arange(20) % 3
    losses = [torch.tensor(0.5), torch.tensor(1.5)]
    parts = list(zip(losses, logits.split(15), y.split(15), strict=True))
    for part in parts:
        metrics.update(*part)
    expected = {name: value.item() for name, value in metrics.compute().items()}
    metrics.reset()
    metrics.add(sum(metrics.sums(*part) for part in parts), 20)
    assert {n: v.item() for n, v in metrics.compute().items()} == pytest.approx(expected)
    assert expected["train/loss"] == pytest.approx((0.5 * 15 + 1.5 * 5) / 20)
