"""Whose study a folder holds: its files name classes, and who runs them again runs their code.

A study's controller leaves a mark of its user and machine in the study's folder. It tells a folder
that somebody else made from one's own, wherever that was moved or copied on this machine. It is no
signature: who has a marked study of yours can write another one around the mark.
"""

import getpass
import hashlib
import json
import os
import socket
from pathlib import Path

from lightning_hpo.errors import UserError
from lightning_hpo.storage.files import stored_object

MARK_FILE = "made_by.json"
# By systemd; it stays over the machine's whole life, and is not to be told to others as it is.
_MACHINE_ID = Path("/etc/machine-id")


def leave_mark(study_dir: Path) -> None:
    """Say in ``study_dir`` that this user makes the study, on this machine."""
    content = {"user": _user(), "host": socket.gethostname(), "mark": _fingerprint()}
    # Of several controllers that begin at a time each has a draft of its own.
    draft = study_dir / f".{MARK_FILE}.{os.getpid()}"
    draft.write_text(json.dumps(content))
    draft.replace(study_dir / MARK_FILE)


def is_own(study_dir: Path) -> bool:
    """Whether this user made the study in ``study_dir``, on this machine."""
    path = study_dir / MARK_FILE
    found = stored_object(path)
    if found is None or found.get("mark") != _fingerprint():
        return False
    return path.lstat().st_uid == os.getuid()


def require_own(study_dir: Path, *, trusted: bool, way_out: str) -> None:
    """Raise :class:`UserError` for another one's study, unless the user trusts it.

    ``way_out``: what says so, on the command line.
    """
    if trusted or not study_dir.is_dir() or is_own(study_dir):
        return
    found = stored_object(study_dir / MARK_FILE) or {}
    who = f"{found.get('user')} on {found.get('host')}" if found else "somebody unknown"
    raise UserError(
        f"the study in {study_dir} was made by {who}: its configuration, which names code, would"
        f" run with your rights. Look at it first, then add {way_out}."
    )


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # A container's user without a name.
        return str(os.getuid())


def _fingerprint() -> str:
    try:
        machine = _MACHINE_ID.read_text().strip()
    except OSError:
        machine = ""
    return hashlib.sha256(f"lightning_hpo/{machine}/{os.getuid()}".encode()).hexdigest()[:32]
