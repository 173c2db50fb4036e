"""Objects from ``_target_`` nodes, for the whole package.

A study's configuration is its user's own code: it names classes of any package, also of the user's,
so Hydra's list of trusted targets is switched off, here and knowingly. Run only configurations
that you would run as code.
"""

from typing import Any

import hydra.utils
from hydra.errors import InstantiationException
from hydra.utils import UNSAFE_DISABLE_EXECUTION_CHECKS

from lightning_hpo.errors import UserError, one_line


def make(node: Any, **arguments: Any) -> Any:
    """The object that ``node`` describes; ``arguments`` complete or replace the node's own.

    Raises :class:`UserError` for a target that does not exist or does not take its arguments; one
    that the target itself raises passes unchanged.
    """
    try:
        return hydra.utils.instantiate(
            node, _execution_whitelist_=UNSAFE_DISABLE_EXECUTION_CHECKS, **arguments
        )
    except InstantiationException as error:
        if isinstance(error.__cause__, UserError):
            raise error.__cause__ from None
        raise UserError(one_line(error)) from error
