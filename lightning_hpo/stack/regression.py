"""Perceptrons that fit numbers: an epoch is one step on all training samples, the loss is squared.

Shapes: S networks, N training and V validation samples (the largest fold's; smaller ones are padded
with samples that do not count), I inputs (the same; each fold of a table may have its own).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from lightning_hpo.stack.dropout import DropoutStreams
from lightning_hpo.stack.learner import Learner, Measures
from lightning_hpo.stack.network import StackedMLP, linear_layers
from lightning_hpo.stack.schedules import MakeSchedule


@dataclass(frozen=True)
class RegressionMember:
    """A perceptron, see :class:`lightning_hpo.stack.learner.Member`.

    ``train``, ``val``: inputs (N, I), as the network sees them, and targets (N,); ``val`` None:
    nothing validates. ``seed``: of its dropout. ``target_scale``: mean and standard deviation by
    which outputs get the units of the targets; gradients are those of errors in units of the
    latter. None: outputs have them as they are.
    """

    network: nn.Sequential
    optimizer: Optimizer
    dropout: float
    seed: int
    train: tuple[Tensor, Tensor]
    val: tuple[Tensor, Tensor] | None = None
    schedule: MakeSchedule | None = None
    target_scale: tuple[float, float] | None = None

    @property
    def n_val(self) -> int:
        return 0 if self.val is None else len(self.val[1])

    @property
    def steps_per_epoch(self) -> int:
        return 1

    @property
    def kind(self) -> str:
        layers = linear_layers(self.network)
        return f"regression, {len(layers)} layers, {layers[0].in_features} inputs"

    @staticmethod
    def among(members: Sequence["RegressionMember"], device: torch.device) -> Learner:
        return Regression(members, device)


class Regression(Learner):
    """Perceptrons of one depth, each with all of its samples at once."""

    network: StackedMLP

    def __init__(self, members: Sequence[RegressionMember], device: torch.device) -> None:
        self.network = StackedMLP.of([m.network for m in members], device=device)
        self.train_x, self.train_y, self.train_share = _padded([m.train for m in members], device)
        self.dropout = DropoutStreams(
            [m.seed for m in members],
            [m.dropout for m in members],
            n_samples=self.train_x.shape[1],
            widths=self.network.widest[1:-1],
            device=device,
        )
        val = [m.val for m in members if m.val is not None]
        self._val = _padded(val, device) if val else None
        self.validates = bool(val)
        self._scale = _scales(members, device)
        if self._scale is not None:
            mean, std = self._scale
            self.train_y = (self.train_y - mean) / std
        self._loss = torch.full((len(members),), torch.nan, device=device)

    def gradients(self, epoch: int) -> Iterator[None]:
        masks = self.dropout.masks(epoch)
        loss = self.network.gradient(self.train_x, self.train_y, self.train_share, masks)
        self._loss = loss if self._scale is None else loss * self._scale[1].squeeze(1) ** 2
        yield

    def trained(self) -> Measures:
        return {"loss": self._loss}

    def validated(self) -> tuple[Measures, Tensor]:
        assert self._val is not None
        x, y, share = self._val
        outputs = self.network(x)
        if self._scale is not None:
            mean, std = self._scale
            outputs = outputs * std + mean
        return {"loss": ((outputs - y).square_() * share).sum(1)}, outputs

    def hand_back(self, member: RegressionMember, row: int, flat: Tensor) -> None:
        self.network.copy_to(member.network, row, flat)

    def keep(self, rows: Tensor) -> None:
        self.network.keep(rows)
        self.dropout.keep(rows)
        self.train_x, self.train_y = self.train_x[rows], self.train_y[rows]
        self.train_share, self._loss = self.train_share[rows], self._loss[rows]
        if self._scale is not None:
            self._scale = self._scale[0][rows], self._scale[1][rows]
        if self._val is not None:
            x, y, share = self._val
            self._val = x[rows], y[rows], share[rows]


def _scales(
    members: Sequence[RegressionMember], device: torch.device
) -> tuple[Tensor, Tensor] | None:
    """Means and deviations (S, 1); None: nobody has them."""
    if all(member.target_scale is None for member in members):
        return None
    pairs = [member.target_scale or (0.0, 1.0) for member in members]
    mean, std = torch.tensor(pairs, device=device).unbind(1)
    return mean[:, None], std[:, None]


def _padded(
    samples: Sequence[tuple[Tensor, Tensor]], device: torch.device
) -> tuple[Tensor, Tensor, Tensor]:
    """Inputs (S, N, I), targets (S, N), each sample's share in the mean (S, N), zero if padded."""
    n_most, widest = max(len(y) for _, y in samples), max(x.shape[1] for x, _ in samples)
    x_sni = torch.zeros(len(samples), n_most, widest)
    y_sn, share_sn = torch.zeros(len(samples), n_most), torch.zeros(len(samples), n_most)
    for row, (x, y) in enumerate(samples):
        x_sni[row, : len(y), : x.shape[1]], y_sn[row, : len(y)] = x, y
        share_sn[row, : len(y)] = 1 / len(y)
    return x_sni.to(device), y_sn.to(device), share_sn.to(device)
