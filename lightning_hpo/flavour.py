"""Which Lightning this process uses: ``pytorch_lightning`` or ``lightning.pytorch``, decided once.

The two are one library under two names whose classes do not know each other: a Trainer of one
refuses a module of the other. So everything here that is a module, a callback or a logger follows
the classes of the study, by ``from lightning_hpo.flavour import pl``. No other file names either.

Decided is, the first that tells: what :func:`settle` was told, the environment variable
``LIGHTNING_HPO_FLAVOUR``, the one that this process has imported, the one that is installed, and of
both ``pytorch_lightning``.
"""

import os
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightning_hpo.errors import UserError

if TYPE_CHECKING:
    import pytorch_lightning as pl
    import pytorch_lightning.plugins.environments
    import pytorch_lightning.utilities.exceptions
    import pytorch_lightning.utilities.model_helpers
    import pytorch_lightning.utilities.seed  # noqa: F401

__all__ = ["FLAVOURS", "VARIABLE", "name", "of", "pl", "settle", "translated"]

FLAVOURS = ("pytorch_lightning", "lightning.pytorch")
VARIABLE = "LIGHTNING_HPO_FLAVOUR"
# What the package itself does not import.
_FURTHER = (
    "plugins.environments",
    "utilities.exceptions",
    "utilities.model_helpers",
    "utilities.seed",
)

_settled: str | None = None


def settle(flavour: str) -> None:
    """Decide for ``flavour``; raises :class:`UserError` when it was decided otherwise."""
    global _settled
    if flavour not in FLAVOURS:
        raise UserError(f"{VARIABLE} must be one of {list(FLAVOURS)}, got {flavour!r}.")
    if _settled not in (None, flavour):
        raise UserError(
            f"a study's classes must come from one flavour of Lightning, but here are some of"
            f" {_settled} and some of {flavour}; import both by one name, or if all of yours are of"
            f" {flavour}, set {VARIABLE}={flavour}."
        )
    _settled = flavour


def name() -> str:
    """The flavour of this process, decided by the first question."""
    if _settled is None:
        settle(os.environ.get(VARIABLE) or _found())
    assert _settled is not None
    return _settled


def of(kind: type) -> str | None:
    """The flavour that a class derives from; None: from neither, or from ours alone."""
    for base in kind.__mro__:
        for flavour in FLAVOURS:
            if base.__module__.startswith(f"{flavour}."):
                return flavour
    return None


def translated(target: str) -> str:
    """The dotted name of an object of Lightning's, in the flavour of this process."""
    for flavour in FLAVOURS:
        if target.startswith(f"{flavour}."):
            return name() + target.removeprefix(flavour)
    return target


def _found() -> str:
    imported = [flavour for flavour in FLAVOURS if sys.modules.get(flavour)]
    if len(imported) == 1:
        return imported[0]
    installed = [flavour for flavour in FLAVOURS if _is_installed(flavour)]
    if not installed:
        raise UserError("PyTorch Lightning must be installed; pip install pytorch-lightning.")
    return installed[0]


def _is_installed(flavour: str) -> bool:
    package, _, part = flavour.partition(".")
    # Not of the part, which would import the package.
    spec = find_spec(package)
    places = spec.submodule_search_locations if spec is not None else None
    return any(Path(place, part, "__init__.py").is_file() for place in places or ())


if not TYPE_CHECKING:

    def __getattr__(attribute: str) -> Any:
        """``pl``: the package itself, imported when it is first asked for."""
        if attribute != "pl":
            raise AttributeError(f"module {__name__!r} has no attribute {attribute!r}")
        for part in _FURTHER:
            import_module(f"{name()}.{part}")
        found = globals()["pl"] = import_module(name())
        return found
