"""Optuna's sampler and storage, which mark how long they took: the same for every contender."""

import functools
import time
from collections.abc import Callable
from typing import Any

from optuna.samplers import TPESampler
from optuna.storages import RDBStorage

from benchmarks.race.marks import mark


def timed(part: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Of a method: mark its seconds as ``part``; what it calls of the same part counts once."""

    def of(method: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(method)
        def marked(self: Any, *args: Any, **kwargs: Any) -> Any:
            if self.__dict__.get("_is_timed"):
                return method(self, *args, **kwargs)
            self.__dict__["_is_timed"], started_s = True, time.perf_counter()
            try:
                return method(self, *args, **kwargs)
            finally:
                self.__dict__["_is_timed"] = False
                mark(part, seconds=time.perf_counter() - started_s)

        return marked

    return of


class TimedTPESampler(TPESampler):
    """TPE that marks what a suggestion took, what it asks of the storage included."""


class TimedStorage(RDBStorage):
    """A database that marks what each statement took, those of the sampler included."""


def time_sampler(kind: type[TPESampler]) -> None:
    """Mark the seconds of its suggestions from here on."""
    for name in ("before_trial", "infer_relative_search_space", "sample_relative"):
        setattr(kind, name, timed("sampler")(getattr(kind, name)))
    for name in ("sample_independent", "after_trial"):
        setattr(kind, name, timed("sampler")(getattr(kind, name)))


def time_storage(kind: type[RDBStorage]) -> None:
    """Mark the seconds of its statements; some as the cache before a database calls them."""
    for name in ("_create_new_trial", "_get_trials", "_set_trial_param"):
        setattr(kind, name, timed("storage")(getattr(kind, name)))
    for name in ("get_all_trials", "get_trial", "set_trial_intermediate_value"):
        setattr(kind, name, timed("storage")(getattr(kind, name)))
    for name in ("set_trial_state_values", "set_trial_system_attr"):
        setattr(kind, name, timed("storage")(getattr(kind, name)))


time_sampler(TimedTPESampler)
time_storage(TimedStorage)
