"""A batch iterator over tensors that already lie where the network is.

No dataset, no sampler and no worker processes: a batch is gathered by index from one resident
tensor, prepared (normalised) and augmented there. Gathering and preparing happen for a block of
batches at a time, since on small images the cost is that of the calls, not of the arithmetic.
"""

from collections.abc import Callable, Iterator
from itertools import islice
from types import SimpleNamespace
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Generator, Tensor

Augment = Callable[[Tensor, Generator], Tensor]
StepsPerCall = int | Literal["epoch"]

# Measured on 28 x 28 images and two cores: 256 to 2048 are equally fast, and 1024 floats of that
# size (3 MB) still fit the cache.
_BLOCK_SAMPLES = 1024
# On a GPU a call costs the same for more samples.
_BLOCK_SAMPLES_GPU = 8192


@runtime_checkable
class TakesManyBatches(Protocol):
    """A module that takes many batches in one call, or the loader that gives them to it."""

    steps_per_call: StepsPerCall


def steps_per_call(of: object) -> StepsPerCall:
    """Batches that a module or a loader takes at a time; 1, as in Lightning, if it says nothing."""
    return of.steps_per_call if isinstance(of, TakesManyBatches) else 1


class Minibatches:
    """The next ``n`` batches of an epoch, made while they are iterated over; in order, and once."""

    def __init__(self, batches: Iterator[tuple[Tensor, Tensor]], n: int) -> None:
        self._batches = batches
        self._n = n

    def __len__(self) -> int:
        return self._n

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        return islice(self._batches, self._n)


class TensorLoader:
    """Yields ``(prepare(x[i]), y[i])`` for the samples in ``index``, batch by batch.

    With ``weights`` (N,) a batch has those of its samples as its third part.

    Epochs are reproducible: order and augmentation depend on ``seed`` and the epoch alone. The
    Trainer sets the epoch (see ``batch_sampler``); in a plain loop it counts up by itself.
    Under several processes (``rank`` of ``world_size``) each gets its share: when shuffled, all
    get equally many, a few samples being repeated; otherwise each sample occurs exactly once.
    With ``steps_per_call`` above 1, or "epoch", it yields ``Minibatches`` of so many batches each,
    which are the same batches in the same order.
    A shuffled epoch is one to train on, and batch normalisation cannot train on a single sample: if
    one is left over for the last batch, it joins the batch before.

    x: (N, ...) any dtype; y: (N, ...); index: (n,) int64, all on one device. ``after_read`` is
    called whenever a block of samples has been read from x.
    """

    def __init__(
        self,
        x: Tensor,
        y: Tensor,
        index: Tensor,
        *,
        batch_size: int,
        prepare: Callable[[Tensor], Tensor],
        augment: Augment | None = None,
        shuffle: bool = False,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
        steps_per_call: StepsPerCall = 1,
        after_read: Callable[[], None] | None = None,
        weights: Tensor | None = None,
    ) -> None:
        self.weights = weights
        self.x, self.y, self.index = x, y, index
        self.after_read = after_read
        self.batch_size = batch_size
        self.prepare = prepare
        self.augment = augment
        self.shuffle = shuffle
        self.seed = seed
        self.rank, self.world_size = rank, world_size
        self.steps_per_call = steps_per_call
        self.epoch = 0

    @property
    def batch_sampler(self) -> SimpleNamespace:
        """Where Lightning looks for ``sampler.set_epoch``, which it calls before each epoch.

        It would look at ``loader.sampler`` first, but takes what has that for a DataLoader.
        """
        return SimpleNamespace(sampler=self)

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    @property
    def n_minibatches(self) -> int:
        n = self._n_samples()
        return -(-n // self.batch_size) - self._joins_last(n)

    def __len__(self) -> int:
        return -(-self.n_minibatches // self._steps_per_call())

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]] | Iterator[Minibatches]:
        return self._minibatches() if self.steps_per_call == 1 else self._calls()

    def _steps_per_call(self) -> int:
        return self.n_minibatches if self.steps_per_call == "epoch" else self.steps_per_call

    def _calls(self) -> Iterator[Minibatches]:
        batches, left = self._minibatches(), self.n_minibatches
        while left > 0:
            n = min(left, self._steps_per_call())
            yield Minibatches(batches, n)
            left -= n

    def _minibatches(self) -> Iterator[tuple[Tensor, Tensor]]:
        # A generator: nothing happens before the first batch is asked for, because the Trainer
        # makes and drops iterators before it sets the epoch.
        epoch, self.epoch = self.epoch, self.epoch + 1
        order_seed, augment_seed = _seeds(self.seed, epoch, self.rank)
        generator = Generator(self.x.device).manual_seed(augment_seed)
        samples = _BLOCK_SAMPLES if self.x.device.type == "cpu" else _BLOCK_SAMPLES_GPU
        block_size = max(1, samples // self.batch_size) * self.batch_size
        for block in self._parts(self._order(order_seed), block_size):
            x = self.prepare(self.x.index_select(0, block))
            if self.after_read is not None:
                self.after_read()
            if self.augment is not None:
                x = self.augment(x, generator)
            y = self.y.index_select(0, block)
            members = [x, y]
            if self.weights is not None:
                members.append(self.weights.index_select(0, block))
            batches: Any = zip(*(self._parts(m, self.batch_size) for m in members), strict=True)
            yield from batches

    def _parts(self, samples: Tensor, size: int) -> tuple[Tensor, ...]:
        """Parts of ``size`` samples, a multiple of the batch size, and the rest."""
        parts = samples.split(size)
        if self._joins_last(len(samples)) and len(parts[-1]) == 1:
            return (*parts[:-2], samples[-size - 1 :])
        return parts

    def _joins_last(self, n: int) -> bool:
        """Whether the last of n samples would be a batch by itself and joins the one before."""
        return self.shuffle and n > self.batch_size > 1 and n % self.batch_size == 1

    def _order(self, seed: int) -> Tensor:
        """This process's part of the index, shuffled on the CPU so that every device agrees."""
        order = self.index
        if self.shuffle:
            permutation = torch.randperm(len(order), generator=Generator().manual_seed(seed))
            order = order[permutation.to(order.device)]
            order = torch.cat((order, order[: -len(order) % self.world_size]))
        return order[self.rank :: self.world_size]

    def _n_samples(self) -> int:
        n, spare = divmod(len(self.index), self.world_size)
        return n + (spare > 0 if self.shuffle else self.rank < spare)


def _seeds(seed: int, epoch: int, rank: int) -> tuple[int, int]:
    """Independent seeds of the order, which all processes share, and of the augmentation."""
    order = np.random.SeedSequence((seed, epoch, 0)).generate_state(1, np.uint64)
    augment = np.random.SeedSequence((seed, epoch, 1, rank)).generate_state(1, np.uint64)
    return int(order[0]) >> 1, int(augment[0]) >> 1
