"""The controllers of one study, on one machine or on many: who is alive, and who does what.

In a study's own folder the kernel answers: :mod:`lightning_hpo.sweep.fleet.ownership`. On a shared
storage each controller signs an attribute of the study again and again, and one whose signature has
not changed for six intervals, by the watch of the one who looks, is dead.
"""

import logging
import socket
import threading
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import optuna

from lightning_hpo.storage.study import storage_errors
from lightning_hpo.sweep.fleet.mutex import StorageMutex, short_key
from lightning_hpo.sweep.fleet.ownership import Owner
from lightning_hpo.sweep.fleet.row_lock import RowLock, lock_of

log = logging.getLogger(__name__)

_BEAT = "heartbeat:"
_LEFT = "left"
_FINAL = "final_job"
_MISSED_BEATS = 6
_LOOK_ROUND_S = 0.5
# A busy machine may keep the holder of a lock waiting for so long.
_LEAST_SILENCE_S = 10.0


class Controller(Protocol):
    """What the search asks of an owner or a fleet."""

    @property
    def id(self) -> str: ...

    @property
    def shared(self) -> bool: ...

    @property
    def study_dir(self) -> Path: ...

    def look(self) -> None:
        """Raise where the study's files are no longer there; see :meth:`Owner.look`."""

    def exclusive(self) -> AbstractContextManager[None]: ...

    def is_alive(self, owner_id: str) -> bool: ...

    def living(self, owner_ids: Collection[str]) -> set[str]:
        """Those that are alive; asks no more often for many than for one."""


class Fleet:
    """This controller among all of its study's; a context manager.

    ``shared``: the storage is not the embedded one, so other machines may take part.
    ``heartbeat_s``: how often this controller signs; the same in all of them.
    """

    def __init__(
        self, owner: Owner, study: optuna.Study, *, shared: bool, heartbeat_s: float = 10.0
    ) -> None:
        self.id = owner.id
        self._owner = owner
        self.study_dir = owner.study_dir
        self.shared = shared
        self._heartbeat_s = heartbeat_s
        self._storage, self._study_id = study._storage, study._study_id
        self._seen: dict[str, _Sighting] = {}
        self._study = study
        # Found when it is first wanted: until then the storage may be out of reach.
        self._lock: RowLock | StorageMutex | None = None
        self._leaving = threading.Event()
        self._signer = threading.Thread(target=self._sign_on, name="heartbeat", daemon=True)

    def __enter__(self) -> "Fleet":
        if self.shared:
            self._sign(0)
            self._signer.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.shared:
            self._leaving.set()
            self._signer.join()
            self._sign(_LEFT)

    def look(self) -> None:
        """See to it that this controller is known to live, and its study's files are there."""
        self._owner.look()

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """One controller at a time: for counting trials and asking for the next in one step."""
        if self.shared:
            self.look()
            self._lock = self._lock or self.lock()
        with self._lock.held() if self._lock is not None else self._owner.exclusive():
            yield

    def lock(self) -> RowLock | StorageMutex:
        """What keeps the controllers of a shared storage apart."""
        attributes = StorageMutex(self._study, self.id, self.is_alive)
        timeout_s = max(_MISSED_BEATS * self._heartbeat_s, _LEAST_SILENCE_S)
        return lock_of(self._study, attributes, timeout_s=timeout_s)

    def is_alive(self, owner_id: str) -> bool:
        """Whether the controller ``owner_id`` still runs, as far as is known by now.

        One that was never looked at before is believed alive; see :meth:`watch`.
        """
        return bool(self.living([owner_id]))

    def living(self, owner_ids: Collection[str]) -> set[str]:
        near = {each for each in owner_ids if self._is_near(each)}
        alive = {each for each in near if self._owner.is_alive(each)}
        far = set(owner_ids) - near
        if far:
            attributes, now_s = self._attributes(), time.monotonic()
            alive |= {each for each in far if self._beats(each, attributes, now_s)}
        return alive

    def _is_near(self, owner_id: str) -> bool:
        """Whether this machine's kernel knows."""
        return not self.shared or owner_id in ("", self.id) or _has_lock_here(owner_id)

    def watch(self, owner_id: str) -> bool:
        """Whether ``owner_id`` runs, after looking for as long as it takes to be sure."""
        while self.is_alive(owner_id):
            sighting = self._seen.get(owner_id)
            if sighting is None or sighting.has_changed:
                return True
            time.sleep(self._heartbeat_s / 4)
        return False

    def claim_final(self, identity: Sequence[str], final_dir: Path) -> str | None:
        """Take the final job of the parameters ``identity``; None when it is this controller's.

        Otherwise where it runs or was done. One whose controller died is free again.
        """
        mine = {"owner": self.id, "host": socket.gethostname(), "folder": str(final_dir.resolve())}
        self._watch_final(identity)
        with self.exclusive():
            claim = self._attributes().get(_FINAL)
            if claim is not None and claim["identity"] == list(identity):
                where = f"on {claim['host']} in {claim['folder']}"
                if claim["owner"] != self.id and self.is_alive(claim["owner"]):
                    return f"is run {where}"
                elsewhere = (claim["host"], claim["folder"]) != (mine["host"], mine["folder"])
                # In a study's own folder that folder tells, wherever it lies by now.
                if claim["done"] and elsewhere and self.shared:
                    return f"was done {where}"
            self._write(_FINAL, {**mine, "identity": list(identity), "done": False})
        return None

    def finish_final(self) -> None:
        """Record that this controller's final job is done."""
        claim = self._attributes().get(_FINAL)
        if claim is not None and claim["owner"] == self.id:
            self._write(_FINAL, {**claim, "done": True})

    def _watch_final(self, identity: Sequence[str]) -> None:
        # Outside the lock: to be sure that its owner is dead takes a while.
        while self._is_run_by_another(self._attributes().get(_FINAL)):
            claim = self._attributes()[_FINAL]
            if self.shared or claim["identity"] == list(identity):
                return
            # In one folder there is room for one: other parameters wait for their turn.
            time.sleep(_LOOK_ROUND_S)

    def _is_run_by_another(self, claim: dict[str, Any] | None) -> bool:
        if claim is None or claim["done"] or claim["owner"] == self.id:
            return False
        return self.watch(claim["owner"])

    def _beats(self, owner_id: str, attributes: Mapping[str, Any], now_s: float) -> bool:
        beat = attributes.get(_BEAT + short_key(owner_id))
        if beat == _LEFT:
            return False
        before = self._seen.get(owner_id)
        if before is None:
            self._seen[owner_id] = _Sighting(beat, now_s, has_changed=False)
        elif before.beat != beat:
            self._seen[owner_id] = _Sighting(beat, now_s, has_changed=True)
        return now_s - self._seen[owner_id].since_s < _MISSED_BEATS * self._heartbeat_s

    def _sign_on(self) -> None:
        n_beats = 0
        while not self._leaving.wait(self._heartbeat_s):
            n_beats += 1
            self._sign(n_beats)
            if isinstance(self._lock, RowLock):
                self._lock.touch()

    def _sign(self, beat: int | str) -> None:
        try:
            self._write(_BEAT + short_key(self.id), beat)
        except _out_of_reach() as error:
            # The next one may get through; who misses six is given up by the others.
            log.warning(f"the storage did not take a sign of life: {type(error).__name__}")

    def _attributes(self) -> dict[str, Any]:
        return self._storage.get_study_system_attrs(self._study_id)

    def _write(self, key: str, value: Any) -> None:
        # Not a user's attribute: dashboards and reports show those.
        self._storage.set_study_system_attr(self._study_id, key, value)


def _has_lock_here(owner_id: str) -> bool:
    # An owner's id is its machine's name and the path of its lock.
    host, _, path = owner_id.partition(":")
    return host == socket.gethostname() and Path(path).is_file()


def _out_of_reach() -> tuple[type[Exception], ...]:
    # A storage that was replaced by another one does not know the study.
    return (*storage_errors(), OSError, KeyError)


@dataclass(frozen=True)
class _Sighting:
    """A signature, and since when it has been this one by the own monotonic clock."""

    beat: int | str | None
    since_s: float
    has_changed: bool
