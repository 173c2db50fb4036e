"""Networks that classify: an epoch is a step for each minibatch, the loss is the cross-entropy.

Each network's minibatches are those of its own loader, so order and augmentation are what a fit of
it alone has.

Shapes: S networks, B samples of a minibatch (the largest; smaller ones are padded with samples that
do not count), V validation samples, K classes; a sample is an image (C, H, W) or a row (I,).
"""

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import zip_longest
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer

from lightning_hpo.data.loader import TensorLoader
from lightning_hpo.stack.dropout import DropoutStreams
from lightning_hpo.stack.layers import StackedLayers, kind_of, linear_widths
from lightning_hpo.stack.learner import Learner, Measures
from lightning_hpo.stack.schedules import MakeSchedule


@dataclass(frozen=True)
class ClassificationMember:
    """A classifier, see :class:`lightning_hpo.stack.learner.Member`.

    ``layers``: of the network, in their order. ``seed``: of its dropout. ``train``, ``val``: what
    it trains and validates on; ``val`` None: nothing validates.
    """

    layers: Sequence[nn.Module]
    optimizer: Optimizer
    seed: int
    train: TensorLoader
    val: TensorLoader | None = None
    label_smoothing: float = 0.0
    schedule: MakeSchedule | None = None

    @property
    def n_val(self) -> int:
        return 0 if self.val is None else len(self.val.index)

    @property
    def steps_per_epoch(self) -> int:
        return self.train.n_minibatches

    @property
    def kind(self) -> str:
        shape = tuple(self.train.x.shape[1:])
        # Folds of a table may each have their own columns; classes that are not there would count.
        inputs = f"images {shape}" if len(shape) > 1 else "rows"
        n_classes, steps = linear_widths(self.layers)[-1], self.steps_per_epoch
        return f"{n_classes} classes of {inputs} in {steps} steps, {kind_of(self.layers)}"

    @staticmethod
    def among(members: Sequence["ClassificationMember"], device: torch.device) -> Learner:
        return Classification(members, device)


class Classification(Learner):
    """Classifiers of the same layers, each with its own minibatches, as many as the others'."""

    network: StackedLayers

    def __init__(self, members: Sequence[ClassificationMember], device: torch.device) -> None:
        self.network = StackedLayers([m.layers for m in members], device=device)
        on_device: dict[Any, Tensor] = {}
        self._train = [_on(m.train, device, on_device) for m in members]
        self._val = [_on(m.val, device, on_device) for m in members if m.val is not None]
        for loader in self._val:
            # As many samples at a time as one network alone would look at.
            loader.batch_size = -(-loader.batch_size // len(members))
        self.validates = bool(self._val)
        (self.steps_per_epoch,) = {member.steps_per_epoch for member in members}
        self._dropout = DropoutStreams(
            [m.seed for m in members],
            [_dropout_of(m.layers) for m in members],
            # A single sample that is left over joins the last minibatch.
            n_samples=max(loader.batch_size for loader in self._train) + 1,
            widths=self.network.widths,
            device=device,
        )
        smoothing = torch.tensor([m.label_smoothing for m in members], device=device)[:, None]
        self._smoothing = smoothing if smoothing.any() else None
        self._seen = _Seen(len(members), device)

    def gradients(self, epoch: int) -> Iterator[None]:
        self._seen = _Seen(len(self.flat), self.flat.device)
        for loader in self._train:
            loader.set_epoch(epoch)
        batches: Iterator[Any] = zip(*self._train, strict=True)
        for step, minibatches in enumerate(batches, epoch * self.steps_per_epoch):
            batch = _together(minibatches)
            with torch.enable_grad():
                logits = self.network(batch.x, self._masks(step, batch.x.shape[1]))
                loss = batch.means(_cross_entropy(logits, batch.y, self._smoothing))
                self.network.gradient(loss.sum())
            self._seen.add(batch, logits.detach(), loss.detach())
            yield

    def trained(self) -> Measures:
        return self._seen.means()

    def validated(self) -> tuple[Measures, Tensor]:
        seen, outputs = _Seen(len(self.flat), self.flat.device), []
        batches: Iterator[Any] = zip_longest(*self._val)
        for minibatches in batches:
            batch = _together(minibatches)
            logits = self.network(batch.x)
            loss = batch.means(_cross_entropy(logits, batch.y))
            seen.add(batch, logits, loss)
            outputs.append(logits)
        return seen.means(), torch.cat(outputs, 1)

    def hand_back(self, member: ClassificationMember, row: int, flat: Tensor) -> None:
        self.network.copy_to(member.layers, row, flat)

    def keep(self, rows: Tensor) -> None:
        self.network.keep(rows)
        self._dropout.keep(rows)
        self._smoothing = None if self._smoothing is None else self._smoothing[rows]
        self._train = [self._train[row] for row in rows.tolist()]
        if self._val:
            self._val = [self._val[row] for row in rows.tolist()]

    def _masks(self, step: int, n_samples: int) -> list[Tensor] | None:
        masks = self._dropout.masks(step)
        return None if masks is None else [mask[:, :n_samples] for mask in masks]


@dataclass(frozen=True)
class _Batch:
    """x (S, B, ...), y (S, B); n (S,): how many samples of a network are not padding."""

    x: Tensor
    y: Tensor
    n: Tensor

    @cached_property
    def is_there(self) -> Tensor:
        return torch.arange(self.y.shape[1], device=self.y.device) < self.n[:, None]

    def means(self, of_samples: Tensor) -> Tensor:
        """The mean (S,) over each network's samples of what they have (S, B); 0 without samples."""
        return of_samples.where(self.is_there, 0).sum(1) / self.n.clamp(min=1)


class _Seen:
    """Sums over the samples of an epoch (S,), on the device."""

    def __init__(self, n_networks: int, device: torch.device) -> None:
        self._loss, self._right, self._n = torch.zeros(3, n_networks, device=device).unbind()

    def add(self, batch: _Batch, logits: Tensor, loss: Tensor) -> None:
        self._loss += loss * batch.n
        self._right += ((logits.argmax(2) == batch.y) & batch.is_there).sum(1)
        self._n += batch.n

    def means(self) -> Measures:
        return {"loss": self._loss / self._n, "accuracy": self._right / self._n}


def _together(minibatches: Sequence[tuple[Tensor, Tensor] | None]) -> _Batch:
    """One minibatch of each network; None: its samples have come to their end."""
    some = next(batch for batch in minibatches if batch is not None)
    parts = [(some[0][:0], some[1][:0]) if batch is None else batch for batch in minibatches]
    xs, ys = zip(*parts, strict=True)
    lengths = torch.tensor([len(y) for y in ys]).to(ys[0].device, non_blocking=True)
    if len({x.shape for x in xs}) == 1:
        return _Batch(torch.stack(xs), torch.stack(ys), lengths)
    shape = [max(sizes) for sizes in zip(*(x.shape for x in xs), strict=True)]
    x = some[0].new_zeros(len(parts), *shape)
    y = some[1].new_zeros(len(parts), shape[0])
    for row, (own_x, own_y) in enumerate(parts):
        x[row][tuple(map(slice, own_x.shape))] = own_x
        y[row, : len(own_y)] = own_y
    return _Batch(x, y, lengths)


def _cross_entropy(logits: Tensor, y: Tensor, smoothing: Tensor | None = None) -> Tensor:
    """Of each sample (S, B); ``smoothing`` (S, 1): of the labels, as in torch's."""
    of_all = F.cross_entropy(logits.flatten(0, 1), y.flatten(), reduction="none")
    found = of_all.view_as(y)
    if smoothing is None:
        return found
    return torch.lerp(found, -logits.log_softmax(2).mean(2), smoothing)


def _on(loader: TensorLoader, device: torch.device, known: dict[Any, Tensor]) -> TensorLoader:
    """The same loader on a device, where tensors that networks share lie once."""
    moved = copy.copy(loader)
    for name in ("x", "y", "index"):
        tensor: Tensor = getattr(loader, name)
        key = tensor.data_ptr(), tensor.shape, tensor.dtype
        if key not in known:
            known[key] = tensor.to(device)
        setattr(moved, name, known[key])
    return moved


def _dropout_of(layers: Sequence[nn.Module]) -> float:
    found = [layer.p for layer in layers if isinstance(layer, nn.Dropout)]
    return found[0] if found else 0.0
