"""What a network makes of the samples that a loader gives, ours or another's.

Shapes: N samples, K classes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from lightning_hpo.data import told
from lightning_hpo.errors import UserError
from lightning_hpo.explain.attribution import as_input, evaluating
from lightning_hpo.flavour import pl
from lightning_hpo.models.base import as_evaluated

Task = Literal["classes", "numbers"]

_HOOKS = ("on_before_batch_transfer", "transfer_batch_to_device", "on_after_batch_transfer")


@dataclass(frozen=True)
class Seen:
    """N samples on the CPU, but for what is still where the network is: ``inputs``.

    given: inputs as the loader gives them, of which pictures are made; inputs: as the network takes
    them; outputs: float32 as they are evaluated; targets: integers of classes, else floats.
    """

    given: Sequence[Tensor]
    inputs: Sequence[Tensor]
    outputs: Tensor
    targets: Tensor

    def at(self, index_n: Tensor) -> "Seen":
        """Copies of some samples, which hold nothing else in memory."""
        chosen = index_n.tolist()
        given, inputs = ([of[i].clone() for i in chosen] for of in (self.given, self.inputs))
        return Seen(given, inputs, self.outputs[index_n], self.targets[index_n])

    def followed_by(self, other: "Seen") -> "Seen":
        return Seen(
            [*self.given, *other.given],
            [*self.inputs, *other.inputs],
            torch.cat([self.outputs, other.outputs]),
            torch.cat([self.targets, other.targets]),
        )

    @property
    def stacked_inputs(self) -> Tensor:
        return torch.stack(list(self.inputs))

    def pictures(self, data: object) -> Tensor:
        """(N, C, H, W); :class:`UserError` where a sample has none."""
        return torch.stack([told.picture(data, sample) for sample in self.given])

    @property
    def task(self) -> Task:
        """Classes: integer targets (N,), outputs (N, K). Numbers: both real, (N,) or (N, 1).

        Raises:
            UserError: for anything else, such as a map of labels or a sequence.
        """
        outputs, targets, n = self.outputs, self.targets, len(self.given)
        integer = not (targets.is_floating_point() or targets.dtype == torch.bool)
        if integer and targets.shape == (n,) and outputs.ndim == 2 and outputs.shape[1] > 1:
            return "classes"
        if targets.is_floating_point() and _one_each(targets, n) and _one_each(outputs, n):
            return "numbers"
        raise UserError(
            f"got outputs {tuple(outputs.shape)} and targets {tuple(targets.shape)}"
            f" {str(targets.dtype).removeprefix('torch.')}; figures are of classes, outputs (N, K)"
            " and integers (N,), or of real numbers, both (N,) or (N, 1)."
        )


def seen_in(module: nn.Module, data: object, loader: Any) -> Iterator[Seen]:
    """Each batch of ``loader`` and what ``module`` makes of it; of several loaders the first's.

    Batches are read as :func:`lightning_hpo.data.told.pair` says, with the hooks of the data module
    or the module around their way to the device. The network is run in eval mode and left as it
    was; a loader may draw from the random state.
    """
    for batch in loader[0] if isinstance(loader, list | tuple) else loader:
        given, inputs, targets = prepared(module, data, batch)
        with torch.no_grad(), evaluating(module):
            outputs = as_evaluated(module)(inputs)
        if not isinstance(outputs, Tensor):
            raise UserError(f"forward must return one tensor, got {type(outputs).__name__}.")
        yield Seen(given.unbind(), inputs.unbind(), outputs.float().cpu(), targets)


def prepared(module: nn.Module, data: object, batch: Any) -> tuple[Tensor, Tensor, Tensor]:
    """Inputs as given and as ``module`` takes them, where it is, and targets, of one batch."""
    given, _ = told.pair(data, batch)
    inputs, targets = told.pair(data, _transferred(module, data, batch))
    for what, part in (("inputs", given), ("inputs", inputs), ("targets", targets)):
        if not isinstance(part, Tensor):
            raise UserError(f"{what} must be one tensor for figures, got {type(part).__name__}.")
    return given.cpu(), as_input(module, inputs), targets.cpu()


def _transferred(module: nn.Module, data: object, batch: Any) -> Any:
    """``batch`` where ``module`` is, behind the hooks that prepare it when a Trainer takes it."""
    device = next((p.device for p in module.parameters()), torch.device("cpu"))
    for name, more in zip(_HOOKS, ((), (device,), ()), strict=True):
        of_data = isinstance(
            data, pl.LightningDataModule
        ) and pl.utilities.model_helpers.is_overridden(name, data)
        owner = data if of_data or not isinstance(module, pl.LightningModule) else module
        if isinstance(owner, pl.LightningModule | pl.LightningDataModule):
            batch = getattr(owner, name)(batch, *more, 0)
    return batch


def _one_each(values: Tensor, n: int) -> bool:
    return values.numel() == n and values.ndim <= 2
