"""What is read of anybody's loaders, and which kind of samples they hold."""

from typing import Any

import pytest
import torch
from foreign import Loaded, Network, digits, image_classifier
from torch import nn

from lightning_hpo.data.digits import DigitsDataModule
from lightning_hpo.errors import UserError
from lightning_hpo.explain.seen import Seen, seen_in
from lightning_hpo.models.cnn import CNNClassifier


def seen(outputs: torch.Tensor, targets: torch.Tensor) -> Seen:
    samples = list(torch.zeros(len(targets), 3))
    return Seen(samples, samples, outputs, targets)


# Rule: integers (N,) with outputs (N, K) are classes; real targets and outputs, one for each
# sample, are numbers; nothing else is guessed at.
@pytest.mark.parametrize(
    ("outputs", "targets", "task"),
    [
        (torch.rand(4, 3), torch.zeros(4, dtype=torch.int64), "classes"),
        (torch.rand(4, 3), torch.zeros(4, dtype=torch.uint8), "classes"),
        (torch.rand(4), torch.rand(4), "numbers"),
        (torch.rand(4, 1), torch.rand(4), "numbers"),
        (torch.rand(4), torch.rand(4, 1), "numbers"),
        (torch.rand(()), torch.rand(1), "numbers"),
    ],
)
def test_the_kind_of_samples_is_told_by_targets_and_outputs(outputs, targets, task) -> None:
    assert seen(outputs, targets).task == task


@pytest.mark.parametrize(
    ("outputs", "targets"),
    [
        (torch.rand(4, 2, 8, 8), torch.zeros(4, 8, 8, dtype=torch.int64)),  # a map of labels
        (torch.rand(4, 1), torch.zeros(4, dtype=torch.int64)),  # a logit
        (torch.rand(4), torch.ones(4, dtype=torch.bool)),
        (torch.rand(4, 3), torch.rand(4, 3)),  # several targets
        (torch.rand(4, 7, 3), torch.zeros(4, 7, dtype=torch.int64)),  # a sequence
    ],
)
def test_anything_else_is_named_by_its_shapes(outputs, targets) -> None:
    with pytest.raises(UserError) as refused:
        _ = seen(outputs, targets).task
    kind = str(targets.dtype).removeprefix("torch.")
    got = f"got outputs {tuple(outputs.shape)} and targets {tuple(targets.shape)} {kind};"
    assert str(refused.value).startswith(got)
    assert len(str(refused.value)) <= 200


# Rule: tuples and dicts of the same samples are the same samples, and of several loaders the first
# one speaks.
def test_dicts_are_read_like_tuples() -> None:
    module, (x, y) = image_classifier(), digits(40)
    data = Loaded(x, y)
    dicts = Loaded(x, y, keys=("image", "label"))
    pairs = list(seen_in(module, data, data.test_dataloader()))
    named = list(seen_in(module, dicts, [dicts.test_dataloader(), None]))
    assert [len(batch.given) for batch in pairs] == [32, 8]
    for one, other in zip(pairs, named, strict=True):
        assert torch.equal(one.outputs, other.outputs)
        assert torch.equal(one.targets, other.targets)
    assert torch.equal(torch.stack([*pairs[0].given, *pairs[1].given]), x)


class OnTheWay(Loaded):
    """Normalises a batch on its way to the device, as many do on a GPU."""

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        x, y = batch
        return x - 1, y


# Rule: the network sees what it would see in a test; the sample as it was given makes the picture.
def test_hooks_of_the_data_module_prepare_what_the_network_sees() -> None:
    module, (x, y) = image_classifier(), digits(8)
    data = OnTheWay(x, y)
    (batch,) = seen_in(module, data, data.test_dataloader())
    assert torch.equal(batch.stacked_inputs, x - 1)
    assert torch.equal(batch.pictures(data), x)
    torch.testing.assert_close(batch.outputs, module.eval()(x - 1).detach())


class HookedModule(Network):
    def on_before_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        x, y = batch
        return 2 * x, y


def test_hooks_of_the_module_count_where_the_data_have_none() -> None:
    x, y = digits(8)
    module = HookedModule(nn.Flatten())
    data = Loaded(x, y)
    (batch,) = seen_in(module, data, data.test_dataloader())
    assert torch.equal(batch.stacked_inputs, 2 * x)


def test_modes_of_the_network_are_as_before() -> None:
    module, (x, y) = Network(nn.Sequential(nn.Flatten(), nn.Dropout(0.5))).train(), digits(8)
    module.network[0].eval()
    data = Loaded(x, y)
    (batch,) = seen_in(module, data, data.test_dataloader())
    assert torch.equal(batch.outputs, x.flatten(1))
    assert [m.training for m in module.modules()] == [True, True, False, True]


def test_more_than_one_output_is_refused() -> None:
    class Two(Network):
        def forward(self, x: torch.Tensor) -> Any:
            return x, x

    data = Loaded(*digits(8))
    with pytest.raises(UserError, match="forward must return one tensor, got tuple"):
        next(seen_in(Two(nn.Flatten()), data, data.test_dataloader()))


# Rule: resident images look as they are stored, whatever the network is given.
def test_pictures_of_resident_data_are_the_stored_images() -> None:
    data = DigitsDataModule(train_limit=100)
    data.setup("test")
    module = CNNClassifier(input_shape=(1, 8, 8), neurons_1=4, neurons_2=4)
    first = next(seen_in(module, data, data.test_dataloader()))
    stored = data.raw("test")[0][: len(first.given)].float()
    torch.testing.assert_close(first.pictures(data), stored, rtol=0, atol=1e-4)
