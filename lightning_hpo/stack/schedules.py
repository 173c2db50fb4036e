"""Learning-rate schedules over the network axis: each network's own, advanced by torch itself."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from lightning_hpo.errors import UserError
from lightning_hpo.stack.optimizers import settings_of

MakeSchedule = Callable[[Optimizer], LRScheduler]


class StackedSchedules:
    """The rates that S networks have in the optimizer steps to come.

    ``makers``: of each network's schedule; None: its optimizer's rate throughout. What a schedule
    changes besides the rate would be lost on the stack: :meth:`rates` refuses it.
    """

    def __init__(
        self, optimizers: Sequence[Optimizer], makers: Sequence[MakeSchedule | None]
    ) -> None:
        self._optimizers = list(optimizers)
        self._rest = [_all_but_rate(optimizer) for optimizer in optimizers]
        self._schedules = [
            None if make is None else make(optimizer)
            for optimizer, make in zip(optimizers, makers, strict=True)
        ]
        for optimizer in self._optimizers:
            # Without gradients nothing moves, and torch warns of a schedule that steps first.
            optimizer.step()

    def rates(self, n_steps: int) -> Tensor | None:
        """Rates (n_steps, S, 1) on the host, and that many steps on; None if all are constant."""
        if not any(self._schedules):
            return None
        rates = torch.tensor([self._next() for _ in range(n_steps)])
        for optimizer, rest in zip(self._optimizers, self._rest, strict=True):
            if _all_but_rate(optimizer) != rest:
                raise UserError(
                    "stacked networks follow a schedule of the learning rate alone, got one that"
                    " changes other settings of the optimizer too (such as the momentum);"
                    " set cv.parallel=serial, or another scheduler."
                )
        return rates[:, :, None]

    def keep(self, rows: Sequence[int]) -> None:
        """Drop all networks but ``rows``."""
        for name, values in vars(self).items():
            setattr(self, name, [values[row] for row in rows])

    def _next(self) -> list[float]:
        rates = [float(optimizer.param_groups[0]["lr"]) for optimizer in self._optimizers]
        for schedule in self._schedules:
            if schedule is not None:
                schedule.step()
        return rates


def _all_but_rate(optimizer: Optimizer) -> dict[str, object]:
    return {name: value for name, value in settings_of(optimizer).items() if name != "lr"}
