"""Several networks as one model, whose output is the mean of theirs."""

import inspect
import pkgutil
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from lightning_hpo.flavour import pl
from lightning_hpo.models.base import as_evaluated


class Ensemble(pl.LightningModule):
    """The mean of what its ``members`` evaluate: logits (N, K), or values (N,).

    Args:
        members: of each its ``class``, as ``package.module:Class``, and the ``arguments`` of its
            constructor. A checkpoint holds them, so that it opens by itself.
    """

    def __init__(self, members: Sequence[Mapping[str, Any]]) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.members = nn.ModuleList([made(member) for member in members])

    @classmethod
    def of(cls, modules: Sequence[pl.LightningModule]) -> "Ensemble":
        """A copy of ``modules``, whose hyperparameters must be the arguments that made them."""
        found = cls([described(module) for module in modules])
        for member, module in zip(found.members, modules, strict=True):
            member.load_state_dict(module.state_dict())
        return found.eval()

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([as_evaluated(member)(x) for member in self.members]).mean(0)

    def predict_step(self, batch: Any, batch_idx: int) -> Tensor:
        """For a batch with or without labels."""
        outputs: Tensor = self(batch if isinstance(batch, Tensor) else batch[0])
        return outputs


def described(module: pl.LightningModule) -> dict[str, Any]:
    """The ``class`` of a module, as ``package.module:Class``, and the ``arguments`` that made it.

    Those among its hyperparameters that its constructor takes.
    """
    kind = type(module)
    taken = inspect.signature(kind).parameters.values()
    names = {parameter.name for parameter in taken}
    takes_all = any(parameter.kind is parameter.VAR_KEYWORD for parameter in taken)
    # As Lightning does: what else a module notes down is no argument.
    arguments = {k: v for k, v in module.hparams.items() if takes_all or k in names}
    return {"class": f"{kind.__module__}:{kind.__qualname__}", "arguments": arguments}


def made(member: Mapping[str, Any]) -> nn.Module:
    """The module that :func:`described` has described, with new weights."""
    module: nn.Module = pkgutil.resolve_name(member["class"])(**member["arguments"])
    return module
