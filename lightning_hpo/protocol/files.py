"""Files written whole, and read with care: a damaged one is missing, or named in one line."""

import json
import os
import zipfile
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from lightning_hpo.errors import UserError, one_line


def stored_json(path: Path) -> Any:
    """What ``path`` holds; None where it is missing or damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None


def stored_object(path: Path) -> dict[str, Any] | None:
    """The JSON object in ``path``; None where it is missing or damaged."""
    found = stored_json(path)
    return found if isinstance(found, dict) else None


def written_object(path: Path) -> dict[str, Any]:
    """The JSON object in ``path``, which a job of this very run has written."""
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def require_study_dir(path: Path) -> None:
    """Raise :class:`UserError` for a command's ``STUDY_DIR`` that is no folder."""
    if not path.is_dir():
        raise UserError(
            f"STUDY_DIR must be the folder of a study, got {path}, which is none; its last words"
            " name it."
        )


def is_whole_checkpoint(path: Path) -> bool:
    """Whether ``path`` is a file as torch saves it: a ZIP archive, whose directory comes last."""
    try:
        return zipfile.is_zipfile(path)
    except OSError:
        return False


def stored_config(path: Path, *keys: str) -> DictConfig:
    """The configuration in ``path``, which must have ``keys``.

    Raises:
        UserError: with its name, for one that is missing or damaged.
    """
    try:
        found = OmegaConf.load(path)
    except (OSError, ValueError, YAMLError, OmegaConfBaseException, RecursionError) as error:
        raise _damaged(path, one_line(error)) from None
    if not isinstance(found, DictConfig):
        raise _damaged(path, "it holds no mapping")
    missing = [key for key in keys if OmegaConf.select(found, key) is None]
    if missing:
        raise _damaged(path, f"it has no {missing[0]}")
    return found


def _damaged(path: Path, reason: str) -> UserError:
    return UserError(
        f"{path} must be as its job left it, but: {reason}. Put back a copy of it; nothing else"
        " tells what ran."
    )


def write_json(path: Path, content: Any) -> None:
    """Write ``content`` to ``path``; a kill leaves all of it, or what was there before."""
    write_text(path, json.dumps(content, indent=2))


def write_text(path: Path, content: str) -> None:
    """Write ``content`` to ``path``, as :func:`write_json` does."""
    unfinished = path.with_name(f"{path.name}.part")
    unfinished.write_text(content, encoding="utf-8")
    os.replace(unfinished, path)
