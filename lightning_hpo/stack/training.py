"""A stack of networks in training: data, updates, validation, early stopping, each by itself.

Shapes: S networks, N training and V validation samples (the largest fold's; smaller ones are padded
with samples that do not count), I inputs (the same; each fold of a table may have its own), P
parameters, E epochs.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from lightning_hpo.stack.dropout import DropoutStreams
from lightning_hpo.stack.network import Masks, StackedMLP
from lightning_hpo.stack.optimizers import StackedOptimizer
from lightning_hpo.stack.schedules import MakeSchedule, StackedSchedules


@dataclass(frozen=True)
class Member:
    """One network with its optimizer and its data: what a fit of it alone would have.

    ``train``, ``val``: inputs (N, I), as the network sees them, and targets (N,). Without ``val``
    nothing stops the network, and its last epoch is its best. ``seed``: of its dropout.
    ``target_scale``: mean and standard deviation by which outputs get the units of the targets;
    gradients are those of errors in units of the latter. None: outputs have them as they are.
    ``schedule`` makes the optimizer's learning-rate schedule; None: a constant rate.
    When it leaves the stack, ``network`` has the trained weights (see :class:`Stopping`).
    """

    network: nn.Sequential
    optimizer: Optimizer
    dropout: float
    seed: int
    train: tuple[Tensor, Tensor]
    val: tuple[Tensor, Tensor] | None = None
    schedule: MakeSchedule | None = None
    target_scale: tuple[float, float] | None = None


@dataclass(frozen=True)
class Stopping:
    """Early stopping as in Lightning: after ``patience`` validations without an improvement.

    ``patience`` None: never. ``validate_every``: epochs between two validations. In the end a
    network has the weights of its best epoch, or with ``restore_best`` false of its last one.
    """

    patience: int | None = None
    min_delta: float = 0.0
    validate_every: int = 1
    restore_best: bool = True


@dataclass(frozen=True)
class Finished:
    """How a network ended: its best validation loss (NaN without validation), at which epoch."""

    best_loss: float
    best_epoch: int
    epochs: int


@dataclass(frozen=True)
class Losses:
    """Losses of one step's epochs, (E, S) on the host.

    ``validated`` (E,): in which epochs ``val`` says something; elsewhere it is NaN.
    ``epochs`` (S,): in how many of them each network trained; what comes later does not count.
    ``best`` (S,): each network's best so far; ``stopped`` (S,): whether it has ended.
    ``outputs``: of the epochs with a validation, (S, V) of each, if they are asked for.
    """

    train: Tensor
    val: Tensor
    validated: Tensor
    epochs: Tensor
    best: Tensor
    stopped: Tensor
    outputs: Sequence[Tensor] = ()


class Stack:
    """S networks that train together and stop one by one; ``ids`` says which are still there.

    ``tells_outputs``: :class:`Losses` have what the networks gave on their validation samples.
    """

    def __init__(
        self,
        members: Sequence[Member],
        *,
        stopping: Stopping,
        device: torch.device,
        tells_outputs: bool = False,
    ) -> None:
        self.members = members
        self.ids = list(range(len(members)))
        self.stopping = stopping
        self.epoch = 0
        self.network = StackedMLP.of([m.network for m in members], device=device)
        self.schedules = StackedSchedules(
            [m.optimizer for m in members], [m.schedule for m in members]
        )
        self.optimizer = StackedOptimizer([m.optimizer for m in members], device=device)
        self.train_x, self.train_y, self.train_share = _padded([m.train for m in members], device)
        self.dropout = DropoutStreams(
            [m.seed for m in members],
            [m.dropout for m in members],
            n_samples=self.train_x.shape[1],
            widths=self.network.widest[1:-1],
            device=device,
        )
        val = [m.val for m in members if m.val is not None]
        assert len(val) in (0, len(members)), "all networks of a stack validate, or none"
        self._val = _padded(val, device) if val else None
        self._scale = _scales(members, device)
        if self._scale is not None:
            mean, std = self._scale
            self.train_y = (self.train_y - mean) / std
        self._progress = _Progress(self.network.flat)
        self._tells_outputs = tells_outputs
        self._outputs: list[Tensor] = []

    def train(self, n_epochs: int) -> Losses:
        """Train every network for ``n_epochs`` more, or until it stops."""
        progress, train, val = self._progress, [], []
        before, first = progress.epochs.clone(), self.epoch
        rates = self._rates(n_epochs)
        self._outputs = []
        with torch.no_grad():
            for epoch in range(n_epochs):
                if rates is not None:
                    self.optimizer.set_rates(rates[epoch])
                masks = self.dropout.masks(self.epoch)
                train.append(self._gradient(masks))
                self.optimizer.step(self.network.flat, self.network.grad)
                val.append(self._validate())
                self.epoch += 1
        return Losses(
            train=torch.stack(train).cpu(),
            val=torch.stack(val).cpu(),
            validated=torch.tensor([self._validates(e) for e in range(first, self.epoch)]),
            epochs=(progress.epochs - before).cpu(),
            best=progress.best_loss.cpu(),
            stopped=~progress.running.cpu(),
            outputs=torch.stack(self._outputs).cpu().unbind() if self._outputs else (),
        )

    def _gradient(self, masks: Masks) -> Tensor:
        """Fill the gradients in; the training losses (S,)."""
        loss = self.network.gradient(self.train_x, self.train_y, self.train_share, masks)
        return loss if self._scale is None else loss * self._scale[1].squeeze(1) ** 2

    def _rates(self, n_epochs: int) -> Tensor | None:
        rates = self.schedules.rates(n_epochs)
        return None if rates is None else rates.to(self.network.flat.device)

    def drop(self, rows: Sequence[int]) -> dict[int, Finished]:
        """Take the networks in these rows out of the stack; how they ended, by their ids."""
        ended = {self.ids[row]: self._finish(row) for row in rows}
        left = [row for row in range(len(self.ids)) if row not in set(rows)]
        self.ids = [self.ids[row] for row in left]
        if left:
            self.schedules.keep(left)
            self._keep(torch.tensor(left, device=self.network.flat.device))
        return ended

    def _finish(self, row: int) -> Finished:
        progress = self._progress
        # One that has stopped went on with the others to the end of the step.
        is_kept = self.stopping.restore_best or not bool(progress.running[row])
        flat = progress.kept_flat if is_kept else self.network.flat
        self.network.copy_to(self.members[self.ids[row]].network, row, flat)
        return Finished(
            float(progress.best_loss[row]),
            int(progress.best_epoch[row]),
            int(progress.epochs[row]),
        )

    def _validates(self, epoch: int) -> bool:
        return self._val is not None and (epoch + 1) % self.stopping.validate_every == 0

    def _validate(self) -> Tensor:
        """Validation losses (S,), and who has improved and who stops."""
        progress = self._progress
        progress.epochs += progress.running
        if not self._validates(self.epoch):
            if self._val is None:
                progress.follow(self.network.flat, self.epoch)
            return torch.full_like(progress.best_loss, torch.nan)
        assert self._val is not None
        x, y, share = self._val
        outputs = self.network(x)
        if self._scale is not None:
            mean, std = self._scale
            outputs = outputs * std + mean
        if self._tells_outputs:
            self._outputs.append(outputs)
        loss = ((outputs - y).square_() * share).sum(1)
        progress.update(loss, self.network.flat, self.epoch, self.stopping)
        return loss

    def _keep(self, rows: Tensor) -> None:
        self.network.keep(rows)
        self.optimizer.keep(rows)
        self.dropout.keep(rows)
        self._progress.keep(rows)
        self.train_x, self.train_y = self.train_x[rows], self.train_y[rows]
        self.train_share = self.train_share[rows]
        if self._scale is not None:
            self._scale = self._scale[0][rows], self._scale[1][rows]
        if self._val is not None:
            x, y, share = self._val
            self._val = x[rows], y[rows], share[rows]


class _Progress:
    """The best epoch of each network and its patience; all on the device, nothing waits for it."""

    def __init__(self, flat: Tensor) -> None:
        n, device = len(flat), flat.device
        self.kept_flat = flat.clone()  # of the best epoch, or of the last one up to its stop
        self.best_loss = torch.full((n,), torch.inf, device=device)
        self.best_epoch = torch.zeros(n, dtype=torch.int64, device=device)
        self.epochs = torch.zeros(n, dtype=torch.int64, device=device)
        self.running = torch.ones(n, dtype=torch.bool, device=device)
        self._reference = self.best_loss.clone()  # what a significant improvement is measured by
        self._waited = torch.zeros(n, dtype=torch.int64, device=device)

    def update(self, loss: Tensor, flat: Tensor, epoch: int, stopping: Stopping) -> None:
        """One validation: as Lightning's checkpointing (strictly better) and early stopping."""
        improved = (loss < self.best_loss) & self.running
        self.best_loss = torch.where(improved, loss, self.best_loss)
        self.best_epoch.masked_fill_(improved, epoch)
        keeps = improved if stopping.restore_best else self.running
        torch.where(keeps[:, None], flat, self.kept_flat, out=self.kept_flat)
        if stopping.patience is None:
            return
        significant = improved
        if stopping.min_delta:
            significant = (loss < self._reference - abs(stopping.min_delta)) & self.running
            self._reference = torch.where(significant, loss, self._reference)
        self._waited = (self._waited + 1).masked_fill_(significant, 0)
        self.running = self.running & (self._waited < stopping.patience)

    def follow(self, flat: Tensor, epoch: int) -> None:
        """Without validation the latest epoch is the best."""
        self.kept_flat.copy_(flat)
        self.best_epoch.fill_(epoch)
        self.best_loss.fill_(torch.nan)

    def keep(self, rows: Tensor) -> None:
        for name, value in vars(self).items():
            setattr(self, name, value[rows])


def _scales(members: Sequence[Member], device: torch.device) -> tuple[Tensor, Tensor] | None:
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
