"""Studies to compare; makes the helpers of this folder importable."""

import json
import sys
from pathlib import Path

import pytest
from report_study import write_results, write_study

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two searches and a baseline; the first has a report of its own."""
    root = tmp_path_factory.mktemp("studies")
    first = write_study(root / "one folder" / "first", name="first", n_trials=12)
    (first / "report.html").write_text("a page")
    for name, n_trials in (("second", 6), ("baseline", 0)):
        folder = write_study(root / name, name=name, n_trials=n_trials)
        results = json.loads((folder / "results.json").read_text())
        write_results(folder, results | {"command": f"python -m lightning_hpo {name}"})
    return root
