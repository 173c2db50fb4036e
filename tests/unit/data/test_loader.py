"""The resident-tensor loader: order, epochs, shares of several processes, blocks of batches."""

from typing import Any

import pytest
import torch
from quiet import quiet_trainer
from torch import Generator, Tensor

from lightning_hpo.data.digits import DigitsDataModule
from lightning_hpo.data.folds import Split
from lightning_hpo.data.loader import TensorLoader, steps_per_call
from lightning_hpo.models.fc import FCClassifier


def make(n: int = 10, *, batch_size: int = 4, **options: Any) -> TensorLoader:
    """Sample i is the byte i, and so is its label."""
    options.setdefault("prepare", Tensor.float)
    x = torch.arange(n).to(torch.uint8).view(n, 1)
    return TensorLoader(x, torch.arange(n), torch.arange(n), batch_size=batch_size, **options)


def labels(loader: TensorLoader) -> list[int]:
    return [int(label) for _, y in loader for label in y]


def add_noise(x: Tensor, generator: Generator) -> Tensor:
    return x + torch.rand(len(x), 1, generator=generator)


def test_unshuffled_batches_come_in_the_order_of_the_index() -> None:
    loader = make()
    loader.index = torch.tensor([7, 3, 5, 1, 9])
    batches = list(loader)
    assert [y.tolist() for _, y in batches] == [[7, 3, 5, 1], [9]]
    assert [x.flatten().tolist() for x, _ in batches] == [[7, 3, 5, 1], [9]]
    assert len(loader) == len(batches) == 2
    assert batches[0][0].dtype == torch.float32
    assert batches[0][1].dtype == torch.int64


def test_a_shuffled_epoch_is_a_permutation_that_the_seed_and_the_epoch_decide() -> None:
    orders = {}
    for seed in (0, 1):
        for epoch in (0, 1):
            loader = make(100, shuffle=True, seed=seed)
            loader.set_epoch(epoch)
            orders[seed, epoch] = labels(loader)
    assert all(sorted(order) == list(range(100)) for order in orders.values())
    assert len({tuple(order) for order in orders.values()}) == 4


def test_epochs_count_up_by_themselves_and_can_be_set_back() -> None:
    loader = make(50, shuffle=True)
    first, second = labels(loader), labels(loader)
    assert first != second
    loader.batch_sampler.sampler.set_epoch(0)
    assert labels(loader) == first


def test_an_iterator_that_is_never_used_does_not_count_as_an_epoch() -> None:
    loader = make(50, shuffle=True)
    expected = labels(make(50, shuffle=True))
    iter(loader)
    assert labels(loader) == expected


def test_augmentation_follows_preparation_and_differs_between_epochs() -> None:
    loader = make(shuffle=False, prepare=lambda x: x * 100.0, augment=add_noise)
    first, second = (torch.cat([x for x, _ in loader]) for _ in range(2))
    offsets = first.flatten() - torch.arange(10) * 100
    assert ((offsets >= 0) & (offsets < 1)).all()
    assert not torch.equal(first, second)
    loader.set_epoch(0)
    assert torch.equal(torch.cat([x for x, _ in loader]), first)


@pytest.mark.parametrize("batch_size", [1, 64, 100, 1000, 2000, 5000])
def test_gathering_in_blocks_does_not_show(batch_size: int) -> None:
    n = 3000
    x = torch.arange(n).view(n, 1)
    loader = TensorLoader(
        x, torch.arange(n), torch.arange(n), batch_size=batch_size, prepare=Tensor.float
    )
    batches = list(loader)
    assert len(batches) == len(loader)
    assert [len(y) for _, y in batches[:-1]] == [batch_size] * (len(loader) - 1)
    assert torch.equal(torch.cat([y for _, y in batches]), torch.arange(n))
    assert all(torch.equal(x.flatten(), y.float()) for x, y in batches)


def test_processes_share_a_shuffled_epoch_evenly() -> None:
    loaders = [make(10, shuffle=True, rank=rank, world_size=3) for rank in range(3)]
    shares = [labels(loader) for loader in loaders]
    assert [len(share) for share in shares] == [4, 4, 4]  # two samples are repeated
    assert set().union(*shares) == set(range(10))
    assert [len(loader) for loader in loaders] == [1, 1, 1]


def test_processes_evaluate_each_sample_once() -> None:
    loaders = [make(10, batch_size=2, rank=rank, world_size=3) for rank in range(3)]
    shares = [labels(loader) for loader in loaders]
    assert shares == [[0, 3, 6, 9], [1, 4, 7], [2, 5, 8]]
    assert [len(loader) for loader in loaders] == [2, 2, 2]


def test_processes_augment_differently() -> None:
    def noise(rank: int) -> Tensor:
        loader = make(8, shuffle=True, augment=add_noise, rank=rank, world_size=2)
        return torch.cat([x.flatten() % 1 for x, _ in loader])

    assert not torch.equal(noise(0), noise(1))


def test_global_random_state_is_left_alone() -> None:
    state = torch.get_rng_state()
    labels(make(100, shuffle=True, augment=add_noise))
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("steps_per_call", [2, 3, 4, "epoch"])
def test_calls_of_many_steps_hold_the_same_batches(steps_per_call: Any) -> None:
    plain, calls = make(14, shuffle=True), make(14, shuffle=True, steps_per_call=steps_per_call)
    for _ in range(2):  # epochs
        expected = [y.tolist() for _, y in plain]
        sizes = [len(minibatches) for minibatches in calls]
        assert [y.tolist() for minibatches in calls for _, y in minibatches] == expected
        assert len(sizes) == len(calls)
        assert sum(sizes) == calls.n_minibatches == len(plain) == 4


# Rule: a single sample that is left over in training joins the batch before, in the order that the
# epoch has with every other batch size; in evaluation, and in batches of one, it stays alone.
@pytest.mark.parametrize(
    ("n", "options", "sizes"),
    [
        (9, {"shuffle": True}, [4, 5]),
        (10, {"shuffle": True}, [4, 4, 2]),
        (5, {"shuffle": True}, [5]),
        (1, {"shuffle": True}, [1]),
        (3, {"shuffle": True, "batch_size": 1}, [1, 1, 1]),
        (9, {"shuffle": False}, [4, 4, 1]),
        # The sample is alone in its block of 1024 too.
        (2049, {"shuffle": True, "batch_size": 1024}, [1024, 1025]),
        (2049, {"shuffle": True, "batch_size": 512}, [512, 512, 512, 513]),
        # Of 17 samples, each process has 9.
        (17, {"shuffle": True, "rank": 1, "world_size": 2}, [4, 5]),
    ],
)
def test_a_single_sample_is_no_batch_to_train_on(
    n: int, options: dict[str, Any], sizes: list[int]
) -> None:
    loader = _counting(n, **options)
    batches = [y for _, y in loader]
    assert [len(y) for y in batches] == sizes
    assert len(loader) == loader.n_minibatches == len(sizes)
    whole = _counting(n, **{**options, "batch_size": n})
    assert torch.equal(torch.cat(batches), next(iter(whole))[1])


@pytest.mark.parametrize("steps_per_call", [2, "epoch"])
def test_calls_of_many_steps_join_the_single_sample_too(steps_per_call: Any) -> None:
    calls = _counting(13, shuffle=True, steps_per_call=steps_per_call)
    assert [len(y) for minibatches in calls for _, y in minibatches] == [4, 4, 5]
    assert calls.n_minibatches == 3


# Rule: batch normalisation trains on any number of samples, many steps in a call or not. Without
# the rule above torch refuses the last batch: "Expected more than 1 value per channel".
@pytest.mark.filterwarnings("ignore::UserWarning:(pytorch_)?lightning")
def test_batch_normalisation_trains_where_one_sample_is_left_over() -> None:
    weights = []
    for steps in (1, "epoch"):
        data = DigitsDataModule(batch_size=20, train_limit=290, split=Split(val_fraction=0.1))
        torch.manual_seed(0)
        model = FCClassifier(
            input_shape=(1, 8, 8), batch_norm=True, steps_per_call=steps, neurons_1=8
        )
        trainer = quiet_trainer(max_epochs=2)
        trainer.fit(model, datamodule=data)
        assert len(data.train_indices) == 261
        weights.append(model.state_dict())
        # 13 batches an epoch: 12 of 20 samples and one of 21.
        assert weights[-1]["classifier.2.num_batches_tracked"] == 26
    torch.testing.assert_close(weights[0], weights[1])


def _counting(n: int, *, batch_size: int = 4, **options: Any) -> TensorLoader:
    index = torch.arange(n)
    return TensorLoader(
        index.view(n, 1), index, index, batch_size=batch_size, prepare=Tensor.float, **options
    )


# Rule: as Lightning's own loop, a module or a loader takes one batch at a time unless it says more.
def test_who_says_nothing_takes_one_batch_at_a_time() -> None:
    assert steps_per_call(make(steps_per_call="epoch")) == "epoch"
    assert steps_per_call(FCClassifier(input_shape=(1, 8, 8), steps_per_call=3)) == 3
    assert steps_per_call(torch.nn.Linear(1, 1)) == steps_per_call(None) == 1
