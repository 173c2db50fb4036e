"""Objects from ``_target_`` nodes, for the whole package.

A study's configuration is its user's own code: it names classes of any package, also of the user's,
so Hydra's list of trusted targets is switched off, here and knowingly. Run only configurations
that you would run as code.

A ``_partial_`` node becomes a ``functools.partial``. Hydra's own kind refuses to be pickled, and
Lightning's ``save_hyperparameters`` would drop it from a module that is given one.
"""

import copyreg
import functools
from typing import Any

import hydra.utils
from hydra._internal.execution_policy import _DeferredTarget
from hydra.errors import InstantiationException
from hydra.utils import UNSAFE_DISABLE_EXECUTION_CHECKS

from lightning_hpo.errors import UserError, one_line


def _plain(partial: _DeferredTarget) -> functools.partial[Any]:
    return functools.partial(partial.func, *partial.args, **partial.keywords)


def _reduced(partial: _DeferredTarget) -> Any:
    return _plain(partial).__reduce__()


# Those that are arguments of another node reach its constructor before `make` sees them: they are
# plain partials in every copy by pickle, so in a checkpoint, in a rank and in a loader's process.
# Hydra refuses to pickle them because its list of trusted targets would be lost; ours is off.
copyreg.pickle(_DeferredTarget, _reduced)


def make(node: Any, **arguments: Any) -> Any:
    """The object that ``node`` describes; ``arguments`` complete or replace the node's own.

    Raises :class:`UserError` for a target that does not exist or does not take its arguments; one
    that the target itself raises passes unchanged.
    """
    try:
        made = hydra.utils.instantiate(
            node, _execution_whitelist_=UNSAFE_DISABLE_EXECUTION_CHECKS, **arguments
        )
    except InstantiationException as error:
        if isinstance(error.__cause__, UserError):
            raise error.__cause__ from None
        raise UserError(one_line(error)) from error
    return _plain(made) if isinstance(made, _DeferredTarget) else made
