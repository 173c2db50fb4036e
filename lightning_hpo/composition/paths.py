"""Relative paths in a configuration mean the folder in which the command was typed.

A job may run elsewhere: with ``hydra.job.chdir=true`` in its own folder, which is then for what it
writes; what it reads lies where it was.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

# A key that says of itself that its value is a path: data_dir, root, train_csv, file_path.
_PATH_KEY = re.compile(r"(dir|directory|folder|root|path|file|filename|csv)s?$", re.IGNORECASE)


def anchored(value: Any, folder: Path, *, by_key: bool = True, key: str = "") -> Any:
    """Plain containers in which each relative path is one below ``folder``.

    A text is a path when it looks like one and names what ``folder`` has, and with ``by_key`` also
    when its key says so: what is not there yet may be made or downloaded.
    """
    if isinstance(value, Mapping):
        return {k: anchored(v, folder, by_key=by_key, key=str(k)) for k, v in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [anchored(v, folder, by_key=by_key, key=key) for v in value]
    if not isinstance(value, str) or not _may_be_path(key, value):
        return anchored_url(value, folder) if isinstance(value, str) else value
    named = by_key and _PATH_KEY.search(key) is not None
    there = ("/" in value or "." in value) and (folder / value).exists()
    return str(folder / value) if named or there else value


def anchored_url(url: str, folder: Path) -> str:
    """A URL of an SQLite file with an absolute path; any other text as it is."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        return url
    name = parsed.database
    is_file = name and not name.startswith((":memory:", "file:"))
    if parsed.get_backend_name() != "sqlite" or not is_file or Path(str(name)).is_absolute():
        return url
    return parsed.set(database=str(folder / str(name))).render_as_string(hide_password=False)


def _may_be_path(key: str, value: str) -> bool:
    if key.startswith("_") or not value or "${" in value or "\n" in value or "://" in value:
        return False
    return not value.startswith("~") and not Path(value).is_absolute()
