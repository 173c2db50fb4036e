"""A stack of networks in training: updates, validation, early stopping, each by itself.

Shapes: S networks, V validation samples, P parameters, E epochs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from lightning_hpo.stack.learner import Measures, Member
from lightning_hpo.stack.optimizers import StackedOptimizer
from lightning_hpo.stack.schedules import StackedSchedules


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
    ``outputs``: of the epochs with a validation, (S, V, ...) of each, if they are asked for.
    ``further``: what else is told, such as "val/accuracy", each as ``train`` and ``val``.
    """

    train: Tensor
    val: Tensor
    validated: Tensor
    epochs: Tensor
    best: Tensor
    stopped: Tensor
    outputs: Sequence[Tensor] = ()
    further: Mapping[str, Tensor] = field(default_factory=dict)


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
        assert len({bool(m.n_val) for m in members}) == 1, (
            "all networks of a stack validate, or none"
        )
        self.learner = members[0].among(members, device)
        self.schedules = StackedSchedules(
            [m.optimizer for m in members], [m.schedule for m in members]
        )
        self.optimizer = StackedOptimizer([m.optimizer for m in members], device=device)
        self._progress = _Progress(self.learner.flat)
        self._tells_outputs = tells_outputs
        self._outputs: list[Tensor] = []

    def train(self, n_epochs: int) -> Losses:
        """Train every network for ``n_epochs`` more, or until it stops."""
        progress, first = self._progress, self.epoch
        before = progress.epochs.clone()
        told: dict[str, list[Tensor]] = {}
        rates = self._rates(n_epochs)
        self._outputs = []
        with torch.no_grad():
            for epoch in range(n_epochs):
                self._update(None if rates is None else rates[epoch])
                measures = {"train": self.learner.trained(), "val": self._validate()}
                for stage, found in measures.items():
                    for name, value in found.items():
                        told.setdefault(f"{stage}/{name}", []).append(value)
                self.epoch += 1
        curves = {name: torch.stack(values).cpu() for name, values in told.items()}
        return Losses(
            train=curves.pop("train/loss"),
            val=curves.pop("val/loss"),
            validated=torch.tensor([self._validates(e) for e in range(first, self.epoch)]),
            epochs=(progress.epochs - before).cpu(),
            best=progress.best_loss.cpu(),
            stopped=~progress.running.cpu(),
            outputs=torch.stack(self._outputs).cpu().unbind() if self._outputs else (),
            further=curves,
        )

    def _update(self, rates: Tensor | None) -> None:
        """One epoch's optimizer steps, at ``rates`` (steps, S, 1)."""
        for step, _ in enumerate(self.learner.gradients(self.epoch)):
            if rates is not None:
                self.optimizer.set_rates(rates[step])
            self.optimizer.step(self.learner.flat, self.learner.grad)

    def _rates(self, n_epochs: int) -> Tensor | None:
        """Of each step of the epochs to come (E, steps, S, 1); None: they are constant."""
        steps = self.learner.steps_per_epoch
        rates = self.schedules.rates(n_epochs * steps)
        if rates is None:
            return None
        return rates.unflatten(0, (n_epochs, steps)).to(self.learner.flat.device)

    def drop(self, rows: Sequence[int]) -> dict[int, Finished]:
        """Take the networks in these rows out of the stack; how they ended, by their ids."""
        ended = {self.ids[row]: self._finish(row) for row in rows}
        left = [row for row in range(len(self.ids)) if row not in set(rows)]
        self.ids = [self.ids[row] for row in left]
        if left:
            self.schedules.keep(left)
            self._keep(torch.tensor(left, device=self.learner.flat.device))
        return ended

    def _finish(self, row: int) -> Finished:
        progress = self._progress
        # One that has stopped went on with the others to the end of the step.
        is_kept = self.stopping.restore_best or not bool(progress.running[row])
        flat = progress.kept_flat if is_kept else self.learner.flat
        self.learner.hand_back(self.members[self.ids[row]], row, flat)
        return Finished(
            float(progress.best_loss[row]),
            int(progress.best_epoch[row]),
            int(progress.epochs[row]),
        )

    def _validates(self, epoch: int) -> bool:
        return self.learner.validates and (epoch + 1) % self.stopping.validate_every == 0

    def _validate(self) -> Measures:
        """Of the validation samples, NaN without one; who has improved and who stops."""
        progress = self._progress
        progress.epochs += progress.running
        if not self._validates(self.epoch):
            if not self.learner.validates:
                progress.follow(self.learner.flat, self.epoch)
            nothing = torch.full_like(progress.best_loss, torch.nan)
            return dict.fromkeys(self.learner.trained(), nothing)
        measures, outputs = self.learner.validated()
        if self._tells_outputs:
            self._outputs.append(outputs)
        progress.update(measures["loss"], self.learner.flat, self.epoch, self.stopping)
        return measures

    def _keep(self, rows: Tensor) -> None:
        self.learner.keep(rows)
        self.optimizer.keep(rows)
        self._progress.keep(rows)


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
