"""How processor time divides among parts of a program: clocks around the functions of each part."""

import functools
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

REST = "rest"


class Shares:
    """Processor seconds of each part; a part that calls another one does not count its time."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._parts = [REST]
        self._since_s = time.process_time()

    @contextmanager
    def of(self, parts: dict[str, list[tuple[Any, tuple[str, ...]]]]) -> Iterator["Shares"]:
        """While this lasts, the functions of each part are watched, by their owner's names."""
        watched = [
            (owner, name, getattr(owner, name), part)
            for part, owners in parts.items()
            for owner, names in owners
            for name in names
        ]
        self._since_s = time.process_time()
        try:
            for owner, name, function, part in watched:
                setattr(owner, name, self._clocked(part, function))
            yield self
            self._switch()
        finally:
            for owner, name, function, _ in watched:
                setattr(owner, name, function)

    def _clocked(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def clocked(*args: Any, **kwargs: Any) -> Any:
            self._switch()
            self._parts.append(part)
            try:
                return function(*args, **kwargs)
            finally:
                self._switch()
                self._parts.pop()

        return clocked

    def _switch(self) -> None:
        now_s = time.process_time()
        self.seconds[self._parts[-1]] += now_s - self._since_s
        self._since_s = now_s

    def line(self, n_trials: int) -> str:
        """The parts by what they take, in milliseconds for each trial."""
        listed = sorted(self.seconds.items(), key=lambda item: -item[1])
        return ", ".join(f"{part} {1000 * s / n_trials:.2f}" for part, s in listed) + " ms"
