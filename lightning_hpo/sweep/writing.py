"""A study has to be written down: one line for its user when the disk or the database refuses."""

import errno
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lightning_hpo.errors import StudyFailed, one_line
from lightning_hpo.storage.study import storage_errors

# The disk is full, over its quota or read-only.
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


@contextmanager
def must_be_writable() -> Iterator[None]:
    """Raise :class:`StudyFailed` where the storage or the disk fails; other errors pass."""
    try:
        yield
    except storage_errors() as error:
        # Optuna's own message guesses at another rule; the database's tells which one was broken.
        cause = getattr(error.__cause__, "orig", None) or error.__cause__ or error
        raise StudyFailed(_message("storage", cause)) from error
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        raise StudyFailed(_message("folder", error)) from error


def write_json(path: Path, content: Any) -> None:
    """Write ``content`` to ``path``; a kill leaves all of it, or what was there before."""
    unfinished = path.with_name(f"{path.name}.part")
    unfinished.write_text(json.dumps(content, indent=2))
    os.replace(unfinished, path)


def _message(what: str, cause: BaseException) -> str:
    return (
        f"the study's {what} must be writable, but: {one_line(cause)}. What was told is safe:"
        " make room or access, then the same command goes on."
    )
