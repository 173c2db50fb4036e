"""Augmented copies of samples: of the same type, the same for the same seed."""

import torch
from torch import Generator, Tensor

from lightning_hpo.data.copies import augmented_copies

NONE = {"mean": torch.zeros(1), "std": torch.ones(1)}


def keep(x: Tensor, generator: Generator) -> Tensor:
    return x


def noise(x: Tensor, generator: Generator) -> Tensor:
    return x + torch.randn(x.shape, generator=generator, device=x.device)


def bytes_of(*values: int) -> Tensor:
    return torch.tensor(values, dtype=torch.uint8).view(-1, 1, 1, 1)


# Rule: an augmentation sees normalised samples; its copies are stored as the samples are.
def test_the_augmentation_sees_normalised_samples_and_each_channel_by_its_own() -> None:
    seen = []

    def look(x: Tensor, generator: Generator) -> Tensor:
        seen.append(x.clone())
        return 2 * x

    x = torch.tensor([[10.0, 5.0], [14.0, 7.0]])
    mean, std = torch.tensor([12.0, 6.0]), torch.tensor([2.0, 0.5])
    copies = augmented_copies(x, mean=mean, std=std, augment=look, seed=0)
    assert seen[0].tolist() == [[-1.0, -2.0], [1.0, 2.0]]
    # Twice as far from the mean.
    assert copies.tolist() == [[8.0, 4.0], [16.0, 8.0]]


def test_bytes_are_rounded_and_cut() -> None:
    def spread(x: Tensor, generator: Generator) -> Tensor:
        return 2 * x - 100.3

    copies = augmented_copies(bytes_of(0, 50, 100, 200), **NONE, augment=spread, seed=0)
    assert copies.dtype == torch.uint8
    assert copies.flatten().tolist() == [0, 0, 100, 255]  # -100.3, -0.3, 99.7, 299.7


def test_one_copy_of_each_in_order_and_the_samples_stay() -> None:
    x = torch.arange(3000.0).view(-1, 1)
    before = x.clone()
    copies = augmented_copies(x, **NONE, augment=keep, seed=0)
    assert torch.equal(copies, before)
    assert torch.equal(x, before)
    assert copies.data_ptr() != x.data_ptr()


def test_the_seed_alone_decides() -> None:
    x = torch.zeros(2500, 1)
    state = torch.get_rng_state()
    first, again, other = (
        augmented_copies(x, **NONE, augment=noise, seed=seed) for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    # Also between the parts that are changed one after the other.
    assert first.unique().numel() > 2490
    assert torch.equal(torch.get_rng_state(), state)
