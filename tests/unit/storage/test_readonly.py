"""Where a reader finds a study's storage, and that it changes nothing there."""

from pathlib import Path

import optuna
import pytest
from optuna.exceptions import StorageInternalError

from lightning_hpo.errors import UserError
from lightning_hpo.storage.readonly import opened_study, sqlite_file, storage_url


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        ("postgresql://me:***@host/db", "postgresql://me@host/db"),  # left to PGPASSWORD
        ("mysql://host/db", "mysql://host/db"),
        ("sqlite:////data/study.db", "sqlite:////data/study.db"),
        (None, "sqlite:///nowhere/study.db"),
    ],
)
def test_storage_url_by_what_results_say(stored: str | None, expected: str) -> None:
    assert storage_url(Path("nowhere"), stored) == expected


def test_an_exported_storage_is_read_in_place_of_a_url_without_its_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LIGHTNING_HPO_STORAGE", "mysql+pymysql://me:5ecret@tunnel/db")
    nowhere = Path("nowhere")
    assert (
        storage_url(nowhere, "mysql+pymysql://me:***@host/db")
        == "mysql+pymysql://me:5ecret@tunnel/db"
    )
    assert storage_url(nowhere, "optuna.storages.GrpcStorageProxy").endswith("@tunnel/db")
    # Of other studies is what a study with a file of its own does not need.
    assert storage_url(nowhere, "sqlite:////data/study.db") == "sqlite:////data/study.db"
    assert storage_url(nowhere, None) == "sqlite:///nowhere/study.db"


@pytest.fixture
def study_dir(tmp_path: Path) -> Path:
    """The folder of a study of one trial, in a file of its own."""
    study = optuna.create_study(study_name="s", storage=f"sqlite:///{tmp_path / 'study.db'}")
    study.add_trial(optuna.trial.create_trial(value=0.5))
    return tmp_path


def results(**changes: object) -> dict[str, object]:
    return {"study_name": "s", "storage": None, "trials": {"total": 1}} | changes


# Rule: a reader sees the trials, may change none, and leaves nothing beside the file.
def test_a_study_is_read_and_cannot_be_written(study_dir: Path) -> None:
    with opened_study(study_dir, results()) as study:
        assert study is not None
        assert study.best_value == 0.5
        with pytest.raises(StorageInternalError):
            study.set_user_attr("seen", 1)
    assert [path.name for path in study_dir.iterdir()] == ["study.db"]
    written = optuna.load_study(study_name="s", storage=f"sqlite:///{study_dir / 'study.db'}")
    assert written.user_attrs == {}


# Rule: a baseline searched nothing; it needs no storage, and none is made for it.
def test_without_trials_there_may_be_no_storage(tmp_path: Path) -> None:
    with opened_study(tmp_path, results(trials={"total": 0})) as study:
        assert study is None
    assert not list(tmp_path.iterdir())


def test_a_storage_that_is_gone_is_one_line(tmp_path: Path) -> None:
    with (
        pytest.raises(
            UserError, match=r"needs the storage of study 's', got sqlite:.* put it back"
        ),
        opened_study(tmp_path, results()),
    ):
        pass
    assert not list(tmp_path.iterdir())


def test_a_study_of_another_name_is_asked_for(study_dir: Path) -> None:
    with (
        pytest.raises(UserError, match=r"must hold the study that results\.json names, got none"),
        opened_study(study_dir, results(study_name="other")),
    ):
        pass


# Rule: whoever connects shows a password, so a server that a stranger's file names is not asked.
def test_a_strangers_server_is_not_connected_to(
    study_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LIGHTNING_HPO_STORAGE", raising=False)
    with (
        pytest.raises(UserError) as refused,
        opened_study(study_dir, results(storage="postgresql://me:5ecret@db/hpo")),
    ):
        pass
    assert "export LIGHTNING_HPO_STORAGE='postgresql://me:***@db/hpo'" in str(refused.value)


@pytest.mark.parametrize(
    ("url", "file"),
    [
        ("sqlite:////data/study.db", Path("/data/study.db")),
        ("sqlite:///here.db", Path("here.db").absolute()),
        ("sqlite://", None),
        ("postgresql://host/db", None),
        ("no url", None),
    ],
)
def test_only_an_sqlite_url_has_a_file(url: str, file: Path | None) -> None:
    assert sqlite_file(url) == file
