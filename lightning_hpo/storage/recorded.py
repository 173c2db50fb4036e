"""A study that has run: its trials, read from wherever they are stored, as its folder tells."""

import os
import re
import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import optuna
from omegaconf import OmegaConf
from optuna.trial import FrozenTrial
from yaml import YAMLError

from lightning_hpo.errors import UserError
from lightning_hpo.storage.embedded import EMBEDDED_FILE
from lightning_hpo.storage.study import open_storage
from lightning_hpo.storage.vault import VARIABLE

# Where Hydra records what a job was told, and we what that meant.
_TOLD, _RESOLVED = Path(".hydra", "config.yaml"), "config.yaml"


def recorded_trials(study_dir: Path) -> list[FrozenTrial]:
    """The trials of the study in ``study_dir``, by number.

    Raises :class:`UserError` where none is recorded or its storage is out of reach.
    """
    if (study_dir / EMBEDDED_FILE).is_file():
        storage = open_storage(None, study_dir)
        (name,) = optuna.get_all_study_names(storage)
        return optuna.load_study(study_name=name, storage=storage).get_trials(deepcopy=False)
    folders = [path.parent for path in (study_dir / "trials").glob(f"*/{_RESOLVED}")]
    if not folders:
        raise UserError(f"a study must have run in its folder, got {study_dir}, which has none.")
    return trials_beside(folders[0], study_dir)


def check_holds_no_other(study_dir: Path, name: str) -> None:
    """Raise :class:`UserError` when ``study_dir`` belongs to a study with another name.

    Its trials would count from 0 too, and write into the folders of those that lie there.
    """
    others = sorted({*_names_in_file(study_dir), *_names_in_folders(study_dir)} - {name})
    if others:
        raise UserError(
            f"a folder must hold one study, but {study_dir} holds '{others[0]}', got the name"
            f" '{name}'; go on with that one, or choose another study.name or study.dir."
        )


def _names_in_file(study_dir: Path) -> list[str]:
    file = (study_dir / EMBEDDED_FILE).absolute()
    # A damaged or foreign file is for who opens it to refuse.
    with (
        suppress(sqlite3.Error),
        closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as c,
    ):
        return [name for (name,) in c.execute("SELECT study_name FROM studies")]
    return []


def _names_in_folders(study_dir: Path) -> list[str]:
    paths = (study_dir / "trials").glob(f"*/{_RESOLVED}")
    for path in paths:
        # Half written by a kill, or damaged: any other trial tells the same.
        with suppress(OSError, YAMLError):
            name = OmegaConf.select(OmegaConf.load(path), "study.name")
            return [] if name is None else [str(name)]
    return []


def trials_beside(trial_dir: Path, study_dir: Path) -> list[FrozenTrial]:
    """All trials of the study to which the trial in ``trial_dir`` belongs, by number."""
    name = OmegaConf.load(trial_dir / _RESOLVED).study.name
    storage = open_storage(_storage(trial_dir), study_dir)
    try:
        study = optuna.load_study(study_name=name, storage=storage)
    except KeyError:
        raise UserError(
            f"the storage of {study_dir} must hold the study '{name}', but does not."
        ) from None
    return study.get_trials(deepcopy=False)


def _storage(trial_dir: Path) -> Any:
    path = trial_dir / _TOLD
    if not path.is_file():
        return None
    # Interpolations such as ${oc.env:...} stand there, never their values.
    told = OmegaConf.load(path).study
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
