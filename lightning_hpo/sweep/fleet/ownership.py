"""Who runs which trial: a controller that dies, however it dies, can be recognised as dead.

Each controller holds a lock on a file of its own in the study's folder for as long as it lives; the
kernel releases it with the process, so there is no process id to be reused and no clock to compare.

Programs that clean folders go by the age of a file; so a controller keeps its own young, and puts
it back where it was removed.
"""

import fcntl
import os
import socket
import uuid
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from lightning_hpo.errors import UserError
from lightning_hpo.protocol.folder import StudyFolder
from lightning_hpo.storage.originals import Originals


class Owner:
    """This controller's claim on the trials that it asks for; a context manager.

    ``originals``: what must stay where it is while it works, beside its study's folder.
    """

    # Its study lies in a folder of one machine; a fleet shares its study with other machines.
    shared = False

    def __init__(self, study_dir: Path) -> None:
        self.study_dir = study_dir.resolve()
        self.originals = Originals()
        self._place = Originals()
        self._folder = StudyFolder(self.study_dir).owners
        self._path = self._folder / f"{uuid.uuid4().hex[:12]}.lock"
        # With its path: controllers of one storage need not share a folder.
        self.id = f"{socket.gethostname()}:{self._path}"
        self._lock: int | None = None

    def __enter__(self) -> "Owner":
        self.study_dir.mkdir(parents=True, exist_ok=True)
        self._sign()
        self._place.note(self.study_dir)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._lock is not None
        # Its folder may be gone; the lock ends with its file's descriptor all the same.
        with suppress(OSError):
            self._path.unlink()
        os.close(self._lock)

    def look(self) -> None:
        """See to it that the own lock stays there.

        Raises:
            StudyGone: when the study is not where it was.
        """
        # Where the lock is, its folder is; some file systems number folders anew now and then.
        if self._lock is None or not _is_at(self._path, self._lock):
            self._place.check()
            self._sign()
        os.utime(self._path)
        self.originals.check()

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """One controller at a time: for counting trials and asking for the next in one step."""
        self.look()
        descriptor = _locked(self._folder / "study.lock")
        try:
            yield
        finally:
            os.close(descriptor)

    def _sign(self) -> None:
        """Hold the lock that says that this controller lives."""
        before = self._lock
        self._lock = _locked(self._path)
        if before is not None:
            os.close(before)

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

    def living(self, owner_ids: Collection[str]) -> set[str]:
        """Those that are alive."""
        return {each for each in owner_ids if self.is_alive(each)}


def _locked(path: Path) -> int:
    """A descriptor that holds the lock of ``path``, which is made where it is missing."""
    while True:
        descriptor = _opened(path)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if _is_at(path, descriptor):
            return descriptor
        # Removed while it was waited for: others will lock the one that takes its place.
        os.close(descriptor)


def _opened(path: Path) -> int:
    try:
        path.parent.mkdir(exist_ok=True)
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except (FileExistsError, NotADirectoryError, IsADirectoryError):
        raise UserError(
            f"a study keeps its locks as files in a folder, but {path} cannot be one; remove what"
            " stands in its place."
        ) from None


def _is_at(path: Path, descriptor: int) -> bool:
    """Whether ``path`` still names the open file."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    except (FileNotFoundError, NotADirectoryError):
        return False
