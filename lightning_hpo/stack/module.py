"""The stack under a Trainer: one ``training_step`` is one or many epochs of all networks.

Lightning's loop is paid once a step. Networks that stop, diverge or are pruned leave the stack at
the end of the step, so that the others go on at their own cost.
"""

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import optuna
import torch

from lightning_hpo.errors import NonFiniteLoss
from lightning_hpo.flavour import pl
from lightning_hpo.protocol.metrics import Curve
from lightning_hpo.protocol.outputs import OutputsByEpoch
from lightning_hpo.stack.learner import Member
from lightning_hpo.stack.training import Finished, Losses, Stack, Stopping

# Called after each step with the latest epoch (0-based) and the mean over the group's networks of
# the best validation loss so far; raises optuna.TrialPruned to end the group.
Report = Callable[[int, float], None]


class TimeIsUp(RuntimeError):
    """A group ran longer than it may."""


class Group:
    """Networks that belong together, such as the folds of one trial; a group ends as one.

    ``outputs``: take what each member gives in its validations.
    After the fit, ``finished`` holds each member's end, ``train`` and ``val`` its losses by epoch,
    and ``curves`` all that is told of it, unless ``error`` says why there is none:
    :class:`optuna.TrialPruned`, :class:`NonFiniteLoss` or :class:`TimeIsUp`.
    """

    def __init__(
        self,
        members: Sequence[Member],
        report: Report | None = None,
        outputs: Sequence[OutputsByEpoch] = (),
    ) -> None:
        self.members = members
        self.report = report
        self.outputs = outputs
        self.finished: dict[int, Finished] = {}
        self.error: Exception | None = None
        self._told: list[dict[str, list[Curve]]] = [{} for _ in members]

    @property
    def is_done(self) -> bool:
        return len(self.finished) == len(self.members)

    @property
    def train(self) -> list[Curve]:
        """The training losses of each member, one for each epoch that it trained."""
        return [curves["train/loss"] for curves in self.curves]

    @property
    def val(self) -> list[Curve]:
        """The validation losses of each member; NaN in epochs without a validation."""
        return [curves["val/loss"] for curves in self.curves]

    @property
    def curves(self) -> list[dict[str, Curve]]:
        """Of each member: those losses and, in the same way, what else is told, by its name."""
        return [
            {name: np.concatenate(steps) for name, steps in told.items()} for told in self._told
        ]

    def observe(self, epoch: int, rows: Mapping[int, int], losses: Losses) -> None:
        """Take note of a step that ended with ``epoch``; ``rows``: of each member still there."""
        curves = {"train/loss": losses.train, "val/loss": losses.val, **losses.further}
        for member, row in rows.items():
            n = int(losses.epochs[row])
            for name, values in curves.items():
                self._told[member].setdefault(name, []).append(values[:n, row].numpy())
        first = epoch + 1 - len(losses.train)
        if self.outputs:
            self._keep_outputs(rows, losses, first)
        try:
            for member, row in rows.items():
                _check_finite(losses, row, first, member)
            if self.report is not None:
                best = [end.best_loss for end in self.finished.values()]
                best += [float(losses.best[row]) for row in rows.values()]
                self.report(epoch, float(np.mean(best)))
        except (optuna.TrialPruned, NonFiniteLoss, TimeIsUp) as error:
            self.error = error

    def _keep_outputs(self, rows: Mapping[int, int], losses: Losses, first_epoch: int) -> None:
        epochs = (losses.validated.nonzero().flatten() + first_epoch).tolist()
        for epoch, outputs in zip(epochs, losses.outputs, strict=True):
            for member, row in rows.items():
                n_val = self.members[member].n_val
                if n_val and epoch < first_epoch + int(losses.epochs[row]):
                    # Behind its samples stand others that fill the stack up.
                    output = outputs[row, :n_val].numpy().copy()
                    self.outputs[member].add(epoch, output)


def _check_finite(losses: Losses, row: int, first_epoch: int, member: int) -> None:
    n = int(losses.epochs[row])
    validated = losses.validated[:n]
    train_is_bad = ~losses.train[:n, row].isfinite()
    val_is_bad = ~losses.val[:n, row].isfinite() & validated
    for name, values, is_bad in (
        ("train/loss", losses.train, train_is_bad),
        ("val/loss", losses.val, val_is_bad),
    ):
        if is_bad.any():
            index = int(is_bad.nonzero()[0])
            value = float(values[index, row])
            where = f"epoch {first_epoch + index + 1} (fold {member})"
            raise NonFiniteLoss(f"{name} became {value} in {where}")


class StackedFit(pl.LightningModule):
    """Trains groups of networks as one stack for at most ``epochs``, ``epochs_per_step`` a step.

    Each group that ends is handed to ``on_end`` at once.
    """

    def __init__(
        self,
        groups: Sequence[Group],
        *,
        epochs: int,
        epochs_per_step: int,
        stopping: Stopping,
        on_end: Callable[[Group], None] | None = None,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.groups = groups
        self.epochs = epochs
        self.epochs_per_step = epochs_per_step
        self.stopping = stopping
        self.on_end = on_end

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        # The stack updates its networks itself.
        return []

    def train_dataloader(self) -> Sequence[int]:
        """One item for each step; the data are in the stack."""
        return range(math.ceil(self.epochs / self.epochs_per_step))

    def on_fit_start(self) -> None:
        self._owners = [(group, i) for group in self.groups for i in range(len(group.members))]
        members = [group.members[i] for group, i in self._owners]
        tells = any(group.outputs for group in self.groups)
        self.stack = Stack(members, stopping=self.stopping, device=self.device, tells_outputs=tells)

    def training_step(self, batch: int, batch_idx: int) -> None:
        stack = self.stack
        losses = stack.train(min(self.epochs_per_step, self.epochs - stack.epoch))
        there = self._rows()
        for group, rows in there:
            group.observe(stack.epoch - 1, rows, losses)
        at_end = stack.epoch >= self.epochs
        ended = [
            row
            for group, rows in there
            for row in rows.values()
            if at_end or group.error is not None or bool(losses.stopped[row])
        ]
        self._drop(ended)
        for group, _ in there:
            if self.on_end is not None and group.is_done:
                self.on_end(group)
        self.trainer.should_stop = not stack.ids

    def _rows(self) -> list[tuple[Group, dict[int, int]]]:
        """The groups that still have networks in the stack: {member: its row}."""
        found: dict[int, tuple[Group, dict[int, int]]] = {}
        for row, network in enumerate(self.stack.ids):
            group, member = self._owners[network]
            found.setdefault(id(group), (group, {}))[1][member] = row
        return list(found.values())

    def _drop(self, rows: Sequence[int]) -> None:
        if not rows:
            return
        for network, end in self.stack.drop(rows).items():
            group, member = self._owners[network]
            group.finished[member] = end
