"""A checkpoint that opens with weights_only, by each Lightning that is allowed."""

from inspect import signature
from pathlib import Path
from typing import Any

import torch

from lightning_hpo.flavour import pl


def opened(kind: Any, path: Path, map_location: Any = None, *, weights_only: bool = True) -> Any:
    """What ``kind`` opens at ``path``."""
    # Lightning before 2.6 has no such argument: there torch's word has to do.
    torch.load(path, map_location="cpu", weights_only=weights_only)
    known = signature(pl.LightningModule.load_from_checkpoint).parameters
    how = {"weights_only": weights_only} if "weights_only" in known else {}
    return kind.load_from_checkpoint(path, map_location, **how)
