"""torch's optimizers over the network axis: each network has its own settings, as tensor columns.

Networks with the same optimizer lie beside each other and are updated together. The arithmetic is
torch.optim's, operation by operation.

Shapes: R networks (rows) with one kind of optimizer, P parameters; settings are columns (R, 1).
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.optim import SGD, Adam, AdamW, Optimizer, RAdam

from lightning_hpo.errors import UserError

_SETTINGS = ("lr", "momentum", "dampening", "weight_decay", "eps", "beta1", "beta2")


class StackedOptimizer:
    """Updates the rows of ``flat`` as the given optimizers would update each network alone."""

    def __init__(self, optimizers: Sequence[Optimizer], *, device: torch.device) -> None:
        settings = [settings_of(optimizer) for optimizer in optimizers]
        self._groups: list[tuple[slice, _Rows]] = []
        start = 0
        for kind, members in groupby(settings, key=kind_of):
            own = list(members)
            self._groups.append((slice(start, start + len(own)), _ROWS[kind[0]](own, device)))
            start += len(own)

    def step(self, flat: Tensor, grad: Tensor) -> None:
        """One update of all networks, in place."""
        for rows, group in self._groups:
            group.step(flat[rows], grad[rows])

    def set_rates(self, rates: Tensor) -> None:
        """Learning rates (S, 1) for the next steps, one for each network."""
        for rows, group in self._groups:
            group.columns["lr"] = rates[rows]

    def keep(self, rows: Tensor) -> None:
        """Drop all networks but ``rows``."""
        kept: list[tuple[slice, _Rows]] = []
        start = 0
        for part, group in self._groups:
            own = rows[(rows >= part.start) & (rows < part.stop)] - part.start
            if len(own):
                group.keep(own)
                kept.append((slice(start, start + len(own)), group))
                start += len(own)
        self._groups = kept


def settings_of(optimizer: Optimizer) -> dict[str, Any]:
    """Kind and settings of an optimizer; raises :class:`UserError` for what cannot be stacked."""
    kind = type(optimizer)
    if kind not in _ROWS or len(optimizer.param_groups) != 1:
        names = ", ".join(known.__name__ for known in _ROWS)
        raise UserError(
            f"networks can be stacked with one of {names} and one parameter group, got"
            f" {kind.__name__} with {len(optimizer.param_groups)}; set cv.parallel=serial."
        )
    group = optimizer.param_groups[0]
    for name in ("amsgrad", "maximize", "differentiable"):
        if group.get(name):
            raise UserError(
                f"stacked networks cannot use optimizer.{name}=true; set cv.parallel=serial."
            )
    beta1, beta2 = group.get("betas", (0.0, 0.0))
    found = {name: float(group[name]) for name in _SETTINGS if name in group}
    if not found.get("momentum"):
        found["dampening"] = 0.0  # as in torch.optim, which then has no buffer to damp
    # torch before 2.7 knows of AdamW by its class alone.
    decoupled = bool(group.get("decoupled_weight_decay", kind is AdamW))
    flags = {"nesterov": bool(group.get("nesterov")), "decoupled_weight_decay": decoupled}
    return {"kind": kind, **flags, **found, "beta1": beta1, "beta2": beta2}


def kind_of(settings: Mapping[str, Any]) -> tuple[Any, ...]:
    """What networks must have in common to be updated by the same operations."""
    decays = settings["weight_decay"] > 0
    return settings["kind"], settings["nesterov"], settings["decoupled_weight_decay"], decays


class _Rows(ABC):
    """R networks with one kind of optimizer; ``step_count`` is common, all begin together."""

    names: ClassVar[tuple[str, ...]]
    states: ClassVar[int]

    def __init__(self, settings: Sequence[Mapping[str, Any]], device: torch.device) -> None:
        columns = torch.tensor([[own[name] for name in self.names] for own in settings])
        self.columns = dict(zip(self.names, columns.to(device).split(1, dim=1), strict=True))
        self.flags = settings[0]
        self.decays = settings[0]["weight_decay"] > 0
        self.state: list[Tensor] = []
        self.step_count = 0

    def keep(self, rows: Tensor) -> None:
        self.columns = {name: column[rows] for name, column in self.columns.items()}
        self.state = [state[rows] for state in self.state]

    def step(self, flat: Tensor, grad: Tensor) -> None:
        if not self.state:
            self.state = [torch.zeros_like(flat) for _ in range(self.states)]
        self.step_count += 1
        if self.decays:
            grad = self._decayed(flat, grad)
        self._update(flat, grad)

    def _decayed(self, flat: Tensor, grad: Tensor) -> Tensor:
        """Weight decay: apart from the gradient where it is decoupled from it, else part of it."""
        if self.flags["decoupled_weight_decay"]:
            flat.mul_(1 - self.columns["lr"] * self.columns["weight_decay"])
            return grad
        return torch.addcmul(grad, flat, self.columns["weight_decay"])

    @abstractmethod
    def _update(self, flat: Tensor, grad: Tensor) -> None: ...


class _SGDRows(_Rows):
    names = ("lr", "momentum", "dampening", "weight_decay")
    states = 1

    def _update(self, flat: Tensor, grad: Tensor) -> None:
        (buffer,) = self.state
        momentum = self.columns["momentum"]
        if self.step_count == 1:
            buffer.copy_(grad)
        else:
            buffer.mul_(momentum).addcmul_(grad, 1 - self.columns["dampening"])
        direction = torch.addcmul(grad, buffer, momentum) if self.flags["nesterov"] else buffer
        flat.addcmul_(direction, self.columns["lr"], value=-1)


class _AdamRows(_Rows):
    names = ("lr", "weight_decay", "eps", "beta1", "beta2")
    states = 2

    def __init__(self, settings: Sequence[Mapping[str, Any]], device: torch.device) -> None:
        super().__init__(settings, device)
        # One small product a step instead of a power, in double precision as in torch.optim.
        self._betas = torch.cat([self.columns["beta1"], self.columns["beta2"]], 1).double()
        self._powers = torch.ones_like(self._betas)

    def keep(self, rows: Tensor) -> None:
        super().keep(rows)
        self._betas, self._powers = self._betas[rows], self._powers[rows]

    def _moments(self, grad: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """First and second moment, and their bias corrections."""
        mean, square = self.state
        mean.lerp_(grad, 1 - self.columns["beta1"])
        square.lerp_(grad * grad, 1 - self.columns["beta2"])
        self._powers *= self._betas
        correction_1, correction_2 = (1 - self._powers).split(1, dim=1)
        return mean, square, correction_1, correction_2

    def _update(self, flat: Tensor, grad: Tensor) -> None:
        mean, square, correction_1, correction_2 = self._moments(grad)
        step = (self.columns["lr"] / correction_1).float()
        denominator = square.sqrt().div_(correction_2.sqrt().float()).add_(self.columns["eps"])
        flat.addcdiv_(mean * step, denominator, value=-1)


class _RAdamRows(_AdamRows):
    """Liu et al. 2020 (arXiv:1908.03265), rectified as in torch.optim.RAdam."""

    def _update(self, flat: Tensor, grad: Tensor) -> None:
        mean, square, correction_1, correction_2 = self._moments(grad)
        step = (self.columns["lr"] / correction_1).float()
        rectified = (correction_2.sqrt() * self._rectification(correction_2)).float()
        denominator = square.sqrt().add_(self.columns["eps"])
        # Zero rectification stands for the steps in which the variance is not yet tractable.
        adaptive = torch.where(rectified > 0, rectified / denominator, 1.0)
        flat.addcmul_(mean * step, adaptive, value=-1)

    def _rectification(self, correction_2: Tensor) -> Tensor:
        """The variance rectification term (R, 1); 0 where its length is 5 or less."""
        most = 2 / (1 - self._betas[:, 1:]) - 1
        length = most - 2 * self.step_count * self._powers[:, 1:] / correction_2
        above = (length - 4) * (length - 2) * most
        below = (most - 4) * (most - 2) * length
        return torch.where(length > 5, (above / below).clamp(min=0).sqrt(), 0.0)


_ROWS: dict[type[Optimizer], type[_Rows]] = {
    SGD: _SGDRows,
    Adam: _AdamRows,
    AdamW: _AdamRows,
    RAdam: _RAdamRows,
}
