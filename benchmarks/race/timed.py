"""Optuna's sampler and storage, which mark how long they took: the same for every contender.

The sampler's random points are the same too, so that their luck is not the difference.
"""

import functools
import time
import zlib
from collections.abc import Callable
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.samplers import RandomSampler, TPESampler
from optuna.storages import RDBStorage
from optuna.study import Study
from optuna.trial import FrozenTrial

from benchmarks.race.marks import mark
from benchmarks.race.plan import the_plan


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


class SameForAll(RandomSampler):
    """Draws by the race's seed, the trial's number and the last word of the parameter's name."""

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        key = f"{the_plan().seed} {trial.number} {param_name.rpartition('.')[2]}"
        drawn = RandomSampler(seed=zlib.crc32(key.encode()))
        return drawn.sample_independent(study, trial, param_name, param_distribution)


class TimedTPESampler(TPESampler):
    """TPE that marks what a suggestion took; its random points are the same for all."""


class TimedStorage(RDBStorage):
    """A database that marks what each statement took, those of the sampler included."""


def begin_alike(kind: type[TPESampler]) -> None:
    """Let its start-up trials have the points that all contenders' have, from here on."""
    made = kind.__init__

    @functools.wraps(made)
    def with_points(self: Any, *args: Any, **kwargs: Any) -> None:
        made(self, *args, **kwargs)
        self._random_sampler = SameForAll()

    kind.__init__ = with_points  # type: ignore[method-assign]


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


begin_alike(TimedTPESampler)
time_sampler(TimedTPESampler)
time_storage(TimedStorage)
