"""Which storages are read by plain statements; what they read is in test_rows.py."""

import optuna

from lightning_hpo.storage.plain import PlainStorage
from lightning_hpo.storage.study import open_storage


# Rule: a database of the user's own is read as the embedded one is, by any tool the same.
def test_a_database_by_its_url_is_read_plainly(tmp_path):
    url = f"sqlite:///{tmp_path}/mine.db"
    storage = open_storage(url, tmp_path)
    assert isinstance(storage._backend, PlainStorage)
    study = optuna.create_study(study_name="mine", storage=storage)
    study.optimize(lambda trial: trial.suggest_float("x", 0.0, 1.0), n_trials=2)
    other = optuna.load_study(study_name="mine", storage=url)
    assert study.trials == other.trials != []
    other._storage._backend.engine.dispose()
    storage._backend.engine.dispose()
