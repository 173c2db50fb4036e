"""A pruned trial is no failure: its log says so in one line, where Hydra would log a traceback."""

import functools
import logging
import sys
from typing import Any

from hydra.types import TaskFunction

log = logging.getLogger(__name__)


def pruned_in_one_line(task: TaskFunction) -> TaskFunction:
    """``task``, which returns the :class:`optuna.TrialPruned` that it would have raised."""

    @functools.wraps(task)
    def returning(cfg: Any) -> Any:
        try:
            return task(cfg)
        except Exception as error:
            if not _is_pruned(error):
                raise
            log.info("trial %s", error if str(error).startswith("pruned") else f"pruned: {error}")
            # Its frames hold the whole fit.
            return error.with_traceback(None)

    return returning


def _is_pruned(error: Exception) -> bool:
    # A job that has not imported Optuna cannot have raised it, and need not wait for the import.
    optuna: Any = sys.modules.get("optuna")
    return optuna is not None and isinstance(error, optuna.TrialPruned)
