"""The first slot's process, which imports what jobs need while the controller imports its own.

Both take seconds, and the first training step waits for both. It starts as soon as a configuration
is there; whoever starts the slots takes it over, if one that would start then were the same.
"""

import atexit
import multiprocessing as mp
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from lightning_hpo.launchers.slot import Started, end, started
from lightning_hpo.machine.devices import (
    automatic_slots,
    environment_of_slot,
    threads_of_slot,
    visible_gpus,
)


@dataclass(frozen=True)
class _Waiting:
    """A process that nobody has taken over yet; ``made_of``: what it has started with."""

    begun: Started
    made_of: tuple[Any, ...]


_waiting: list[_Waiting] = []


def begin(env: Mapping[str, str], preload: Sequence[str]) -> None:
    """Start the first slot's process with the variables ``env``; it imports ``preload``."""
    close()
    # Who starts the slots has the same failure, and says it.
    with suppress(OSError):
        _waiting.append(
            _Waiting(started(env, None, name=0, preload=preload), _made_of(env, preload))
        )


def taken(env: Mapping[str, str], preload: Sequence[str]) -> Started | None:
    """The process that waits, for whoever would start one with these; another one ends."""
    found = [each for each in _waiting if each.made_of == _made_of(env, preload)]
    if not found:
        close()
        return None
    _waiting.clear()
    return found[0].begun


@atexit.register
def close() -> None:
    """End the process that waits, if there is one."""
    while _waiting:
        end(_waiting.pop().begun.process)


def variables(
    config: DictConfig, *, n_jobs: int | str, threads: int | str
) -> dict[str, str] | None:
    """Those of the first slot of the study of ``config``; None: it is for others to refuse.

    Of as many slots as are wanted; how many trials there are the search space may yet change.
    """
    on_cpu = OmegaConf.select(config, "trainer.accelerator") == "cpu"
    gpus = visible_gpus()
    with suppress(ValueError, TypeError, OmegaConfBaseException):
        per_trial = float(OmegaConf.select(config, "study.gpus_per_trial", default=1) or 1)
        slots = automatic_slots([] if on_cpu else gpus, per_trial) if n_jobs == "auto" else n_jobs
        n_slots = min(int(slots), int(OmegaConf.select(config, "study.n_trials", default=1) or 1))
        return environment_of_slot(0, threads_of_slot(threads, max(1, n_slots)), gpus, per_trial)
    return None


def _made_of(env: Mapping[str, str], preload: Sequence[str]) -> tuple[Any, ...]:
    """All that a process which starts now takes over from this one."""
    method = mp.get_start_method(allow_none=True)
    return dict(env), tuple(preload), dict(os.environ), list(sys.path), os.getcwd(), method
