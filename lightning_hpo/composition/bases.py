"""How the classes of a study are found, and their flavour of Lightning before ours are imported."""

import inspect
import pkgutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from lightning_hpo import flavour

_PARTS = ("model", "data")


def let_import(code: Path) -> None:
    """Let this process import the modules that lie in ``code``, a study's own folder of them."""
    if code.is_dir() and str(code) not in sys.path:
        sys.path.append(str(code))


def settle_flavour(cfg: DictConfig) -> None:
    """Let this process follow the user's classes in ``cfg``, which this imports.

    Ours follow in turn, so they do not count. A class that cannot be imported is for whoever makes
    it to refuse.

    Raises:
        UserError: where classes of both flavours meet, here or with what the process has used
            before.
    """
    for target in foreign_targets(cfg):
        kind = _found(target)
        if inspect.isclass(kind) and (own := flavour.of(kind)) is not None:
            flavour.settle(own)


def foreign_targets(cfg: DictConfig) -> Iterator[str]:
    """Dotted names of the classes of model and data that are not ours."""
    for part in _PARTS:
        target = OmegaConf.select(cfg, f"{part}._target_", default=None)
        if target is not None and not str(target).startswith("lightning_hpo."):
            yield str(target)


def _found(target: str) -> Any:
    try:
        return pkgutil.resolve_name(target)
    # A module of the user's own may raise anything.
    except Exception:
        return None
