"""A study has to be written down: one line for its user when the disk or the database refuses."""

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lightning_hpo.errors import StudyFailed, UserError, of_driver, one_line
from lightning_hpo.storage.study import storage_errors

# The disk is full, over its quota or read-only.
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
# Access was lost, to the study's folder or to a file of the user's own.
NO_ACCESS = (errno.EACCES, errno.EPERM)
# What SQLite and servers say of a database that is damaged or was replaced.
_DAMAGED = ("malformed", "not a database", "disk i/o error", "no such table", "does not exist")


# A folder stands where a file belongs, or a file where a folder does.
_IN_THE_WAY = (errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.ENOTEMPTY)


def writable(study_dir: Path) -> Path:
    """The study's folder, made where it was missing; raises :class:`UserError` if none can be."""
    try:
        study_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=study_dir):
            return study_dir
    except OSError as error:
        raise UserError(
            f"study.dir must be a writable folder, got {study_dir} ({error.strerror});"
            " choose another with study.dir=..."
        ) from None


@contextmanager
def must_be_writable(folder: Path | None = None) -> Iterator[None]:
    """Raise :class:`StudyFailed` where the storage or the disk fails, or what lies in ``folder``.

    Other errors pass.
    """
    try:
        yield
    except storage_errors() as error:
        # Optuna's own message guesses at another rule; the database's tells which one was broken.
        cause = of_driver(error.__cause__ or error)
        raise StudyFailed(_message("storage", cause)) from error
    except OSError as error:
        if error.errno in (*NO_ROOM, *NO_ACCESS):
            raise StudyFailed(_message("folder", error)) from error
        if error.errno in _IN_THE_WAY and _is_below(error.filename2 or error.filename, folder):
            raise StudyFailed(
                f"the study's files must have their places, but: {one_line(error)}. Move away what"
                " stands there, then the same command goes on."
            ) from error
        raise


def hinders(error: OSError, folder: Path | None) -> bool:
    """Whether nothing more can be written below ``folder``, whoever tries.

    A file of the user's own that may not be read says nothing about the study's folder.
    """
    if error.errno in NO_ROOM:
        return True
    return error.errno in NO_ACCESS and _is_below(error.filename, folder)


def _is_below(named: object, folder: Path | None) -> bool:
    if folder is None or not isinstance(named, str | os.PathLike):
        return False
    return Path(named).absolute().is_relative_to(folder.absolute())


def _message(what: str, cause: BaseException) -> str:
    if any(word in str(cause).lower() for word in _DAMAGED):
        return (
            f"the study's {what} must stay whole while it runs, but: {one_line(cause)}. What was"
            " told last may be lost: put back a copy of it, or move the study's folder away and"
            " begin anew."
        )
    return (
        f"the study's {what} must be writable, but: {one_line(cause)}. What was told is safe:"
        " make room or access, then the same command goes on."
    )
