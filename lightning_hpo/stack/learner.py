"""What a stack trains, whatever it is: S networks of one kind and the samples that they learn from.

Shapes: S networks, P parameters, V validation samples.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.optim import Optimizer

from lightning_hpo.stack.schedules import MakeSchedule

# Of each network (S,): its "loss", and what else is told of an epoch.
Measures = Mapping[str, Tensor]


class Networks(Protocol):
    """S networks as one: ``flat`` are all their parameters, ``grad`` the gradients, (S, P) each."""

    flat: Tensor
    grad: Tensor


class Learner(ABC):
    """S networks that learn side by side.

    ``steps_per_epoch``: optimizer steps. ``validates``: whether there are samples to validate on.
    """

    network: Networks
    steps_per_epoch: int = 1
    validates: bool = False

    @property
    def flat(self) -> Tensor:
        return self.network.flat

    @property
    def grad(self) -> Tensor:
        return self.network.grad

    @abstractmethod
    def gradients(self, epoch: int) -> Iterator[None]:
        """Fill ``grad`` for each step of an epoch in turn; ``flat`` is updated in between."""

    @abstractmethod
    def trained(self) -> Measures:
        """Means over the samples of the epoch whose gradients were last gone through."""

    @abstractmethod
    def validated(self) -> tuple[Measures, Tensor]:
        """Means over the validation samples, and what the networks gave on them (S, V, ...)."""

    @abstractmethod
    def hand_back(self, member: Any, row: int, flat: Tensor) -> None:
        """Write the parameters of a network, ``row`` of ``flat``, into that of ``member``."""

    @abstractmethod
    def keep(self, rows: Tensor) -> None:
        """Drop all networks but ``rows``."""


class Member(Protocol):
    """One network with its optimizer and its data: what a fit of it alone would have.

    ``schedule`` makes the optimizer's learning-rate schedule; None: a constant rate. ``n_val``: how
    many samples it validates on; with none nothing stops it, and its last epoch is its best.
    ``steps_per_epoch``: optimizer steps. Members of one ``kind`` can share a stack, whose learner
    ``among`` makes; when one leaves, its network has the trained weights (see ``Stopping``).
    """

    @property
    def optimizer(self) -> Optimizer: ...

    @property
    def schedule(self) -> MakeSchedule | None: ...

    @property
    def n_val(self) -> int: ...

    @property
    def steps_per_epoch(self) -> int: ...

    @property
    def kind(self) -> str: ...

    @staticmethod
    def among(members: Sequence[Any], device: torch.device) -> Learner: ...
