"""A loader over other samples keeps all that its user said, or is refused."""

from typing import Any

import pytest
import torch
from foreign_data import Foreign, X, Y, two_datasets
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    RandomSampler,
    SequentialSampler,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
)

from lightning_hpo.data.loaders import dataset_of, loader_of, over
from lightning_hpo.data.views import CannotTell
from lightning_hpo.flavour import pl

WHOLE, OTHER = TensorDataset(X, Y), TensorDataset(X[:10], Y[:10])


def as_lists(samples: list[Any]) -> list[float]:
    return [float(x) for x, _ in samples]


def first_seen(worker: int) -> None:
    pass


# Rule: whatever torch lets one say of a loader is said again.
def test_all_settings_are_kept() -> None:
    generator = torch.Generator()
    told: dict[str, Any] = {
        "batch_size": 3,
        "num_workers": 1,
        "collate_fn": as_lists,
        "pin_memory": True,
        "drop_last": True,
        "timeout": 5.0,
        "worker_init_fn": first_seen,
        "generator": generator,
        "prefetch_factor": 4,
        "persistent_workers": True,
        "in_order": False,
    }
    again = over(DataLoader(WHOLE, multiprocessing_context="spawn", **told), OTHER)
    assert {name: getattr(again, name) for name in told} == told
    assert again.multiprocessing_context.get_start_method() == "spawn"
    assert again.dataset is OTHER and type(again.sampler) is SequentialSampler


def test_a_plain_loader_reads_the_other_samples() -> None:
    batches = list(over(DataLoader(WHOLE, batch_size=4, collate_fn=as_lists), OTHER))
    assert batches == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    one_by_one = over(DataLoader(WHOLE, batch_size=None), OTHER)
    assert [float(x) for x, _ in one_by_one] == list(range(10))


def test_shuffled_or_drawn_as_before() -> None:
    generator = torch.Generator()
    shuffled = over(DataLoader(WHOLE, shuffle=True, generator=generator), OTHER)
    assert isinstance(shuffled.sampler, RandomSampler)
    assert shuffled.sampler.generator is generator and not shuffled.sampler.replacement
    assert sorted(float(x) for x, _ in shuffled) == list(range(10))
    drawn = RandomSampler(WHOLE, replacement=True, num_samples=25)
    again: Any = over(DataLoader(WHOLE, sampler=drawn), OTHER).sampler
    assert (again.replacement, again.num_samples, len(again.data_source)) == (True, 25, 10)


def test_a_batch_sampler_of_torchs_is_one_over_the_other_samples() -> None:
    batches = BatchSampler(SequentialSampler(WHOLE), 4, drop_last=True)
    again = over(DataLoader(WHOLE, batch_sampler=batches, collate_fn=as_lists), OTHER)
    assert list(again) == [[0, 1, 2, 3], [4, 5, 6, 7]]


# Rule: a sampler that chooses a part of a dataset has made a split.
def test_a_sampler_of_a_part_is_a_part() -> None:
    loader = DataLoader(WHOLE, sampler=SubsetRandomSampler([5, 3]))
    chosen: Any = dataset_of(loader)
    assert chosen.dataset is WHOLE and chosen.indices == [5, 3]
    assert type(over(loader, OTHER).sampler) is RandomSampler
    assert dataset_of(DataLoader(WHOLE)) is WHOLE


class Weird(DataLoader[Any]):
    """A loader class of the user's own, with an argument of its own."""

    def __init__(self, dataset: Any, follow: str, **kwargs: Any) -> None:
        self.follow = follow
        super().__init__(dataset, **kwargs)


class Forgets(DataLoader[Any]):
    def __init__(self, dataset: Any, follow: str, **kwargs: Any) -> None:
        super().__init__(dataset, **kwargs)


def test_a_loader_of_another_class_is_made_by_that() -> None:
    again = over(Weird(WHOLE, "me", batch_size=5), OTHER)
    assert type(again) is Weird and (again.follow, again.batch_size) == ("me", 5)


@pytest.mark.parametrize(
    ("loader", "reason"),
    [
        (
            DataLoader(WHOLE, sampler=WeightedRandomSampler([1.0] * 60, 60)),
            "a WeightedRandomSampler chooses samples by their numbers",
        ),
        (
            DataLoader(WHOLE, batch_sampler=[[1, 2], [3]]),
            "a list chooses batches by the numbers of the samples",
        ),
        (Forgets(WHOLE, "me"), r"a Forgets cannot be made again \(follow\)"),
    ],
)
def test_what_cannot_be_carried_over_is_refused(loader: Any, reason: str) -> None:
    with pytest.raises(CannotTell, match=reason):
        over(loader, OTHER)


class Several(Foreign):
    def val_dataloader(self) -> Any:
        return [DataLoader(WHOLE)] * self.n  # type: ignore[attr-defined]


def test_there_is_one_loader_for_each_stage() -> None:
    data = Several(two_datasets)
    data.setup()
    assert isinstance(loader_of(data, "train_dataloader"), DataLoader)
    data.n = 1  # type: ignore[attr-defined]
    assert isinstance(loader_of(data, "val_dataloader"), DataLoader)
    data.n = 2  # type: ignore[attr-defined]
    with pytest.raises(CannotTell, match=r"val_dataloader must give one torch .* got 2 in a list"):
        loader_of(data, "val_dataloader")
    with pytest.raises(CannotTell, match="it has no val_dataloader"):
        loader_of(pl.LightningDataModule(), "val_dataloader")
