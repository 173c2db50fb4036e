"""Studies in files of SQLite, as any other tool of Optuna's sees them."""

from pathlib import Path

import optuna
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial


def trials_in(file: Path) -> list[FrozenTrial]:
    """Of the one study there; the file is closed again."""
    storage = RDBStorage(f"sqlite:///{file}")
    try:
        (name,) = optuna.get_all_study_names(storage)
        return optuna.load_study(study_name=name, storage=storage).trials
    finally:
        storage.engine.dispose()
