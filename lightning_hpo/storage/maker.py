"""Whose study a folder holds: its files name classes, and who runs them again runs their code.

A study's controller leaves two marks in the study's folder: of its user on this machine, and of the
user's home, which the machines of a cluster share. Either tells a folder that is one's own,
wherever it was moved or copied, from one that somebody else made. They are no signatures: who has a
marked study of yours can write another one around the marks.
"""

import getpass
import hashlib
import json
import os
import secrets
import socket
from contextlib import suppress
from pathlib import Path

from lightning_hpo.errors import UserError
from lightning_hpo.protocol.files import stored_object
from lightning_hpo.protocol.folder import StudyFolder

# By systemd; it stays over the machine's whole life, and is not to be told to others as it is.
_MACHINE_ID = Path("/etc/machine-id")


def leave_mark(study_dir: Path) -> None:
    """Say in ``study_dir`` that this user makes the study, on this machine."""
    _keep_secret()
    content = {"user": _user(), "host": socket.gethostname(), "marks": _marks()}
    # Of several controllers that begin at a time each has a draft of its own.
    mark = StudyFolder(study_dir).mark
    draft = mark.with_name(f".{mark.name}.{os.getpid()}")
    draft.write_text(json.dumps(content))
    draft.replace(mark)


def is_own(study_dir: Path) -> bool:
    """Whether this user made the study in ``study_dir``, here or from the same home."""
    path = StudyFolder(study_dir).mark
    found, ours = (stored_object(path) or {}).get("marks"), _marks()
    if not isinstance(found, list) or path.lstat().st_uid != os.getuid():
        return False
    # Where nothing tells users and machines apart, the owner of the file has to do.
    return not ours or any(mark in found for mark in ours)


def require_own(study_dir: Path, *, trusted: bool, way_out: str) -> None:
    """Raise :class:`UserError` for another one's study, unless the user trusts it.

    ``way_out``: what says so, on the command line.
    """
    if trusted or not study_dir.is_dir() or is_own(study_dir):
        return
    found = stored_object(StudyFolder(study_dir).mark) or {}
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


def _marks() -> list[str]:
    """Of what is known: a machine may have no id, and a home may have no secret yet."""
    machine, secret = _first_line(_MACHINE_ID), _first_line(_secret_file())
    known = [f"{machine}/{os.getuid()}"] * bool(machine) + [secret] * bool(secret)
    return [hashlib.sha256(f"lightning_hpo/{text}".encode()).hexdigest()[:32] for text in known]


def _secret_file() -> Path:
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state, "lightning_hpo", "secret")


def _keep_secret() -> None:
    """Give this user's home a random text, unless it has one or cannot be written."""
    path = _secret_file()
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        # Exclusive, so that of two processes one wins; a reader may see it empty for a moment.
        with open(path, "x", opener=_for_me_alone) as file:
            file.write(secrets.token_hex(16))


def _for_me_alone(path: str, flags: int) -> int:
    return os.open(path, flags, mode=0o600)


def _first_line(path: Path) -> str:
    try:
        return path.read_text().partition("\n")[0].strip()
    except (OSError, UnicodeDecodeError):
        return ""
