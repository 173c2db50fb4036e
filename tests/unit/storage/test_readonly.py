"""Where a reader finds a study's storage."""

from pathlib import Path

import pytest

from lightning_hpo.storage.readonly import storage_url


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
    monkeypatch.setenv("LIGHTNING_HPO_STORAGE", "mysql://me:5ecret@tunnel/db")
    nowhere = Path("nowhere")
    assert storage_url(nowhere, "mysql://me:***@host/db") == "mysql://me:5ecret@tunnel/db"
    assert storage_url(nowhere, "optuna.storages.GrpcStorageProxy").endswith("@tunnel/db")
    # Of other studies is what a study with a file of its own does not need.
    assert storage_url(nowhere, "sqlite:////data/study.db") == "sqlite:////data/study.db"
    assert storage_url(nowhere, None) == "sqlite:///nowhere/study.db"
