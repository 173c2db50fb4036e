"""A study's own account of the seconds that it took."""

from typing import Any

import optuna
import pytest

from lightning_hpo.errors import StudyFailed
from lightning_hpo.sweep.seconds import timed


# Rule: the seconds of a part add up over the runs of a study, however each run ends.
def test_the_seconds_of_each_part_add_up(monkeypatch):
    clock = iter([0.0, 1.5, 10.0, 12.0, 20.0, 20.25])
    monkeypatch.setattr("lightning_hpo.sweep.seconds.time.monotonic", lambda: next(clock))
    study = optuna.create_study()
    with timed(study, "search"):
        pass
    with pytest.raises(KeyboardInterrupt), timed(study, "search"):
        raise KeyboardInterrupt
    with timed(study, "final"):
        pass
    assert study.user_attrs["seconds"] == {"search": 3.5, "final": 0.2}


# Rule: a storage that fails has failed the search for that reason, which is what must be told.
def test_an_account_that_cannot_be_kept_hides_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    study = optuna.create_study()

    def refuses(*_: Any) -> None:
        raise optuna.exceptions.StorageInternalError("no such host")

    monkeypatch.setattr(study, "set_user_attr", refuses)
    with pytest.raises(StudyFailed, match="nothing worked"), timed(study, "search"):
        raise StudyFailed("nothing worked")
