"""A study that has run: its trials, read from wherever they are stored, as its folder tells."""

import os
import re
from pathlib import Path
from typing import Any

import optuna
from omegaconf import OmegaConf
from optuna.trial import FrozenTrial

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
