"""A final job's folder; makes ``writing_executor.py`` importable."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def final_dir(tmp_path, monkeypatch):
    monkeypatch.setattr("lightning_hpo.sweep.finale.plan.cpu_cores", lambda: 8)
    return tmp_path / "final"
