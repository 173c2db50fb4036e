"""A pruned trial is no failure: its log says so in one line, where Hydra would log a traceback."""

import functools
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from hydra._internal.core_plugins.basic_launcher import BasicLauncher
from hydra.plugins.launcher import Launcher
from hydra.types import TaskFunction

from lightning_hpo.launchers.remote import runs_elsewhere

log = logging.getLogger(__name__)


def pruned_in_one_line(task: TaskFunction) -> TaskFunction:
    """``task``, which returns the :class:`optuna.TrialPruned` that it would have raised."""

    @functools.wraps(task)
    def returning(cfg: Any) -> Any:
        try:
            with _logged_without_frames():
                return task(cfg)
        except Exception as error:
            if not _is_pruned(error):
                raise
            log.info("trial %s", error if str(error).startswith("pruned") else f"pruned: {error}")
            # Its frames hold the whole fit.
            return error.with_traceback(None)

    return returning


@contextmanager
def _logged_without_frames() -> Iterator[None]:
    """Tasks often log whatever they raise on: of a pruned trial its reason will do."""
    before = logging.getLogRecordFactory()

    def record_of(*arguments: Any, **keys: Any) -> logging.LogRecord:
        record = before(*arguments, **keys)
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, Exception) and _is_pruned(error):
            record.msg, record.args = f"{record.getMessage()} {error}".strip(), ()
            record.levelno, record.levelname = logging.INFO, "INFO"
            # The second may have been written already, by who masks secrets.
            record.exc_info = record.exc_text = None
        return record

    logging.setLogRecordFactory(record_of)
    try:
        yield
    finally:
        # One that was set meanwhile masks secrets.
        if logging.getLogRecordFactory() is record_of:
            logging.setLogRecordFactory(before)


def log_prunes_in_one_line(launcher: Launcher, task: TaskFunction) -> None:
    """See to it that ``launcher`` runs :func:`pruned_in_one_line` of ``task``, where it can."""
    # Ours does so by itself; joblib may look for the very function by its name.
    if isinstance(launcher, BasicLauncher) or runs_elsewhere(launcher):
        launcher.task_function = pruned_in_one_line(task)  # type: ignore[attr-defined]


def _is_pruned(error: Exception) -> bool:
    # A job that has not imported Optuna cannot have raised it, and need not wait for the import.
    optuna: Any = sys.modules.get("optuna")
    return optuna is not None and isinstance(error, optuna.TrialPruned)
