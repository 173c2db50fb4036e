"""What a job's folder tells of its origin: the configuration, and what else decides its result.

Seed and data settings stand in ``config.yaml``, what was typed or suggested in
``.hydra/overrides.yaml``; ``provenance.yaml`` has versions, git commit, threads and data checksum.
"""

import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf

from lightning_hpo.composition.passwords import referred_tree
from lightning_hpo.data.told import checksum
from lightning_hpo.protocol.folder import JobFolder
from lightning_hpo.protocol.versions import versions

# Of the job that runs. A data module is built deep inside a fit, which knows no job's folder.
_present: ContextVar[Path | None] = ContextVar("provenance", default=None)


@contextmanager
def recorded(cfg: DictConfig, folder: Path) -> Iterator[None]:
    """Record the job of ``cfg`` in ``folder`` before it begins, and what it sees while it runs."""
    resolved: Any = OmegaConf.to_container(cfg, resolve=True)
    # It may hold a password, and a trial that is run again needs no storage.
    resolved["study"]["storage"] = None
    OmegaConf.save(OmegaConf.create(referred_tree(resolved)), JobFolder(folder).config)
    path = JobFolder(folder).provenance
    _save(path, threads=torch.get_num_threads(), versions=_versions(), git_commit=_git_commit())
    token = _present.set(path)
    try:
        yield
    finally:
        _present.reset(token)


def note_data(data: Any) -> None:
    """Add the checksum of ``data``, as the running job sees them, once; None where they have none.

    Does nothing outside a recorded job.
    """
    _note("data_sha256", lambda: checksum(data))


def note_handed(of: str, given: Mapping[str, Any]) -> None:
    """Add by name what the constructor of ``of``, model or data, was handed of ours, once."""
    _note(f"{of}_was_handed", lambda: sorted(given))


def _note(key: str, make: Callable[[], Any]) -> None:
    path = _present.get()
    if path is None:
        return
    so_far: Any = OmegaConf.to_container(OmegaConf.load(path))
    if key not in so_far:
        _save(path, **so_far, **{key: make()})


def _save(path: Path, **content: Any) -> None:
    OmegaConf.save(OmegaConf.create(content), path)


# A process runs the code that it has loaded, whatever is installed or committed later.
@cache
def _versions() -> dict[str, str]:
    return versions()


@cache
def _git_commit() -> str | None:
    """The commit of the working directory, which holds the user's own code; None outside git."""
    try:
        found = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=40"],
            capture_output=True,
            text=True,
            timeout=5,
        )
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return None
    return found.stdout.strip() or None
