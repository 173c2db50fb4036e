"""Mutual exclusion among controllers through nothing but a study's attributes.

Optuna's storages have no common lock, and some (the gRPC proxy, a journal) have none at all. All of
them can write and read attributes, and that is enough: Lamport's bakery algorithm (A new solution
of Dijkstra's concurrent programming problem, CACM 1974) needs one register for each process, which
only that process writes. Nobody compares clocks, and one that died is passed over.
"""

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import optuna

_PREFIX = "mutex:"
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.002, 0.05


class StorageMutex:
    """One controller at a time, on any storage, on any machine; not reentrant.

    ``is_alive`` says whether the controller with an id is to be waited for.
    """

    def __init__(self, study: optuna.Study, my_id: str, is_alive: Callable[[str], bool]) -> None:
        self._storage, self._study_id = study._storage, study._study_id
        self._id = my_id
        self._is_alive = is_alive

    @contextmanager
    def held(self) -> Iterator[None]:
        """While this lasts, no other living controller is inside its own ``held``."""
        try:
            # Whoever comes now waits until my ticket is known: it might be the smaller one.
            self._write(choosing=True)
            ticket = 1 + max((r["ticket"] for r in self._others().values()), default=0)
            self._write(ticket=ticket)
            self._wait(ticket)
            yield
        finally:
            self._write()

    def _wait(self, ticket: int) -> None:
        pause_s = _FIRST_PAUSE_S
        while any(
            self._goes_first(register, other, ticket) and self._is_alive(other)
            for other, register in self._others().items()
        ):
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def _goes_first(self, register: dict[str, Any], other: str, ticket: int) -> bool:
        if register["choosing"]:
            return True
        return bool(register["ticket"]) and (register["ticket"], other) < (ticket, self._id)

    def _others(self) -> dict[str, dict[str, Any]]:
        attributes = self._storage.get_study_system_attrs(self._study_id)
        registers = [value for key, value in attributes.items() if key.startswith(_PREFIX)]
        return {r["owner"]: r for r in registers if r["owner"] != self._id}

    def _write(self, *, choosing: bool = False, ticket: int = 0) -> None:
        register: dict[str, Any] = {"owner": self._id, "choosing": choosing, "ticket": ticket}
        key = _PREFIX + short_key(self._id)
        self._storage.set_study_system_attr(self._study_id, key, register)


def short_key(owner_id: str) -> str:
    """An id, which may hold a long path, as a part of an attribute's name (at most 512 letters)."""
    return hashlib.sha256(owner_id.encode()).hexdigest()[:16]
