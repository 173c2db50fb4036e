"""A study that has run: its trials, read from wherever they are stored, as its folder tells."""

import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import optuna
from omegaconf import OmegaConf
from optuna.trial import FrozenTrial

from lightning_hpo.composition.vault import VARIABLE
from lightning_hpo.errors import UserError, of_driver, one_line
from lightning_hpo.protocol.files import stored_config
from lightning_hpo.protocol.folder import JobFolder, StudyFolder
from lightning_hpo.storage.study import open_storage, storage_errors


def recorded_trials(study_dir: Path) -> list[FrozenTrial]:
    """The trials of the study in ``study_dir``, by number.

    Raises:
        UserError: where none is recorded or its storage is out of reach.
    """
    if StudyFolder(study_dir).database.is_file():
        return _trials(None, study_dir, name=None)
    first = next(_recorded(study_dir), None)
    if first is None:
        raise UserError(f"a study must have run in its folder, got {study_dir}, which has none.")
    return trials_beside(first.path, study_dir)


def check_holds_no_other(study_dir: Path, name: str) -> None:
    """Raise :class:`UserError` when ``study_dir`` belongs to a study with another name.

    Its trials would count from 0 too, and write into the folders of those that lie there.
    """
    others = sorted({*names_in_file(study_dir), *_names_in_folders(study_dir)} - {name})
    if others:
        raise UserError(
            f"a folder must hold one study, but {study_dir} holds '{others[0]}', got the name"
            f" '{name}'; go on with that one, or choose another study.name or study.dir."
        )


def names_in_file(study_dir: Path) -> list[str]:
    """The studies of the folder's own database; none where it has none."""
    file = StudyFolder(study_dir).database.absolute()
    # A damaged or foreign file is for who opens it to refuse.
    with (
        suppress(sqlite3.Error),
        closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as c,
    ):
        return [name for (name,) in c.execute("SELECT study_name FROM studies")]
    return []


def _names_in_folders(study_dir: Path) -> list[str]:
    for trial in _recorded(study_dir):
        # Half written by a kill, or damaged: any other trial tells the same.
        with suppress(UserError):
            return [str(stored_config(trial.config, "study.name").study.name)]
    return []


def _recorded(study_dir: Path) -> Iterator[JobFolder]:
    """The trials whose folders say what ran, by number; each is looked at when it is its turn."""
    study = StudyFolder(study_dir)
    trials = map(study.trial, study.trial_numbers())
    return (trial for trial in trials if trial.config.is_file())


def trials_beside(trial_dir: Path, study_dir: Path) -> list[FrozenTrial]:
    """All trials of the study to which the trial in ``trial_dir`` belongs, by number."""
    name = stored_config(JobFolder(trial_dir).config, "study.name").study.name
    return _trials(_storage(trial_dir), study_dir, name=name)


def _trials(spec: Any, study_dir: Path, *, name: str | None) -> list[FrozenTrial]:
    """``name``: of the study; None: the only one that the storage has."""
    database = StudyFolder(study_dir).database
    # Damaged pages also read as rows that cannot be.
    unreadable: tuple[type[Exception], ...] = (*storage_errors(), ValueError, TypeError, KeyError)
    if spec is None and not database.is_file():
        # Opening it would make an empty one.
        raise UserError(f"a study's trials must be recorded, but {database} is missing.")
    try:
        storage = open_storage(spec, study_dir)
        known = optuna.get_all_study_names(storage)
        if name is None and len(known) == 1:
            (name,) = known
        if name not in known:
            raise UserError(
                f"the storage of {study_dir} must hold the study '{name or study_dir.name}', but"
                f" does not; it has {sorted(known)}."
            )
        study = optuna.load_study(study_name=name, storage=storage)
        return study.get_trials(deepcopy=False)
    except UserError:
        raise
    except unreadable as error:
        cause = of_driver(error.__cause__ or error)
        where = database if spec is None else f"the storage of {study_dir}"
        raise UserError(
            f"a study's trials must be readable, but {where} is damaged or out of reach:"
            f" {one_line(cause)}. Put back a copy of it."
        ) from None


def _storage(trial_dir: Path) -> Any:
    path = JobFolder(trial_dir).told
    if not path.is_file():
        return None
    # Interpolations such as ${oc.env:...} stand there, never their values.
    told = stored_config(path, "study").study
    plain: Any = OmegaConf.to_container(told, resolve=False)
    require_exported(str(plain["storage"]))
    return told.storage


def require_exported(text: str) -> None:
    """Raise :class:`UserError` unless the environment has all variables that ``text`` reads."""
    names = re.findall(r"\$\{oc\.env:(\w+)\}", text)
    missing = [name for name in names if name not in os.environ]
    if missing:
        url = "postgresql://user:password@host/database" if missing[0] == VARIABLE else "..."
        raise UserError(
            "what held a password when the study was started must be told again, since no file does"
            f" it; export {missing[0]}='{url}'."
        )
