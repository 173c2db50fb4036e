"""Which Hydra application runs: ours, or one of somebody else's that chose our sweeper or launcher.

In another one the jobs are not ours: no key of its configuration but ``hydra.*`` means anything to
us, and its ``hydra.main`` knows nothing of our errors.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from hydra.errors import HydraException
from hydra.types import TaskFunction

from lightning_hpo.errors import Interrupted, UserError, one_line
from lightning_hpo.output.control_characters import visible

_ours: set[TaskFunction] = set()


def declare_ours(task_function: TaskFunction) -> None:
    """Say that ``task_function`` runs a study's jobs, as our command line does before it starts."""
    _ours.add(task_function)


def is_ours(task_function: TaskFunction) -> bool:
    """Whether the jobs are a study's own; nothing in a configuration can tell."""
    return task_function in _ours


def complain(error: Exception) -> None:
    """One line on standard error."""
    sys.stderr.write(f"lightning-hpo: {visible(one_line(error))}\n")


@contextmanager
def ending_as_we_do() -> Iterator[None]:
    """Within another application: a failure is one line and status 1, an interrupt 130 or 143.

    Its ``hydra.main`` would print our frames. As there, ``HYDRA_FULL_ERROR`` asks for them.
    """
    try:
        yield
    except Interrupted as interrupt:
        sys.exit(128 + interrupt.signum)
    except (UserError, HydraException) as error:
        if os.environ.get("HYDRA_FULL_ERROR"):
            raise
        complain(error)
        sys.exit(1)
