"""The embedded storage in an empty folder."""

import pytest

from lightning_hpo.storage.embedded import EmbeddedStorage, use_write_ahead_log


@pytest.fixture
def embedded(tmp_path):
    use_write_ahead_log(tmp_path / "embedded.db")
    storage = EmbeddedStorage(tmp_path / "embedded.db")
    yield storage
    storage.engine.dispose()
