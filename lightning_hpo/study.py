"""A study's storage, and how any process on any machine gets hold of a live trial.

Pruners are not stored with a study, and ``study.trials[i]`` is a frozen trial whose ``report``
does nothing; so a job rebuilds its trial from storage, study name, number and pruner.
"""

import sqlite3
from functools import lru_cache
from pathlib import Path
from typing import Any

import optuna
from optuna.pruners import BasePruner
from optuna.samplers import RandomSampler
from optuna.storages import BaseStorage, RDBStorage, get_storage
from optuna.trial import Trial

from lightning_hpo.errors import UserError, one_line
from lightning_hpo.instantiate import make

EMBEDDED_FILE = "study.db"
_LOCK_TIMEOUT_S = 60


def create_storage(spec: Any, study_dir: Path) -> BaseStorage:
    """The storage for the process that creates the study.

    ``spec``: None for the embedded one in ``study_dir``, a URL, or a mapping with ``_target_``.
    """
    if spec is None:
        _use_write_ahead_log(study_dir / EMBEDDED_FILE)
    return open_storage(spec, study_dir)


def open_storage(spec: Any, study_dir: Path) -> BaseStorage:
    """The storage of an existing study; opened once in a process."""
    if spec is None:
        return _embedded(str((study_dir / EMBEDDED_FILE).resolve()))
    if isinstance(spec, str):
        return _from_url(spec)
    return make(spec)


@lru_cache(maxsize=4)
def _embedded(path: str) -> BaseStorage:
    # SQLite commits whole or not at all, whenever a process is killed; writers wait for each other.
    return get_storage(
        RDBStorage(
            f"sqlite:///{path}", engine_kwargs={"connect_args": {"timeout": _LOCK_TIMEOUT_S}}
        )
    )


@lru_cache(maxsize=4)
def _from_url(url: str) -> BaseStorage:
    return get_storage(url)


def _use_write_ahead_log(path: Path) -> None:
    # Kept in the file: readers (dashboard, report) never block the writers.
    try:
        with sqlite3.connect(path, timeout=_LOCK_TIMEOUT_S) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
    except sqlite3.Error as error:
        raise UserError(
            f"the study's storage must be a writable SQLite file, got {path}: {one_line(error)}."
            " Choose another study.dir, or move the file away."
        ) from None


def attach_trial(
    spec: Any, study_dir: Path, *, study_name: str, number: int, pruner: BasePruner | None
) -> Trial:
    """The live trial ``number``, which reports and prunes from this process."""
    # The parameters are already suggested: a sampler that costs nothing keeps the attachment cheap.
    study = optuna.load_study(
        study_name=study_name,
        storage=open_storage(spec, study_dir),
        sampler=RandomSampler(),
        pruner=pruner,
    )
    trial_id = study._storage.get_trial_id_from_study_id_trial_number(study._study_id, number)
    return Trial(study, trial_id)
