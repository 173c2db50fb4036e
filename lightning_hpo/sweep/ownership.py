"""Who runs which trial: a controller that dies, however it dies, can be recognised as dead.

Each controller holds a lock on a file of its own in the study's folder for as long as it lives; the
kernel releases it with the process, so there is no process id to be reused and no clock to compare.
"""

import fcntl
import os
import socket
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


class Owner:
    """This controller's claim on the trials that it asks for; a context manager."""

    # Its study lies in a folder of one machine; a fleet shares its study with other machines.
    shared = False

    def __init__(self, study_dir: Path) -> None:
        self._folder = (study_dir / "owners").resolve()
        self._path = self._folder / f"{uuid.uuid4().hex[:12]}.lock"
        # With its path: controllers of one storage need not share a folder.
        self.id = f"{socket.gethostname()}:{self._path}"
        self._file: IO[str] | None = None

    def __enter__(self) -> "Owner":
        self._folder.mkdir(parents=True, exist_ok=True)
        self._file = self._path.open("w")
        fcntl.flock(self._file, fcntl.LOCK_EX)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._file is not None
        self._path.unlink(missing_ok=True)
        self._file.close()

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """One controller at a time: for counting trials and asking for the next in one step."""
        with (self._folder / "study.lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def is_alive(self, owner_id: str) -> bool:
        """Whether the controller ``owner_id`` still runs, by its lock alone.

        The machine's name does not count: that of a laptop changes with its network. A trial
        without an owner (an empty id) lost its controller before that could sign.
        """
        if owner_id == self.id or not owner_id:
            return bool(owner_id)
        lock = Path(owner_id.partition(":")[2])
        if not lock.is_file():
            # The study's folder may have been moved, or be another container's.
            lock = self._folder / lock.name
        try:
            descriptor = os.open(lock, os.O_RDWR)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False
