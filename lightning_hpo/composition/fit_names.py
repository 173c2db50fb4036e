"""``${fit:name}`` and ``${fit:folder}`` in a configuration: a name and a place for each fit.

A study has many fits and one configuration, so that the values are known in a fit alone. Outside of
one the text stands for itself: a configuration that is resolved and stored keeps it as it is.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from omegaconf import OmegaConf

from lightning_hpo.errors import UserError

KEYS = ("name", "folder")

_present: ContextVar[Mapping[str, str] | None] = ContextVar("fit", default=None)


@contextmanager
def names_of(folder: Path, study_dir: Path) -> Iterator[None]:
    """Inside, the fit that writes into ``folder`` gives its name and its folder."""
    token = _present.set({"name": name_of(folder, study_dir), "folder": str(folder)})
    try:
        yield
    finally:
        _present.reset(token)


def name_of(folder: Path, study_dir: Path) -> str:
    """In words: ``trial 3``, ``trial 3 fold 0``, ``refit``, ``fold 2``, ``showcase best``."""
    place, study = folder.resolve(), study_dir.resolve()
    inside = place.relative_to(study) if place.is_relative_to(study) else Path(place.name)
    parts = {"trials": ["trial"], "final": []}
    words = [word for part in inside.parts for word in parts.get(part, part.split("_"))]
    return " ".join(words)


def _value(key: str) -> str:
    if key not in KEYS:
        raise UserError(f"${{fit:...}} must be one of {', '.join(KEYS)}, got ${{fit:{key}}}.")
    present = _present.get()
    return f"${{fit:{key}}}" if present is None else present[key]


OmegaConf.register_resolver("fit", _value, replace=True)
