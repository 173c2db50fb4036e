"""A search begins with what is configured, or is the default of the user's own class."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from command import run, trials

pytestmark = pytest.mark.sweep

DEFAULTS = {"+model.lr": 0.1, "+data.batch_size": 64}


def test_the_first_trial_takes_the_defaults_once_and_the_report_says_how_it_did(tmp_path):
    folder = tmp_path / "studies" / "by_default"
    for n_trials in (2, 3):
        words = (f"study.n_trials={n_trials}",)
        status, _, err = run(tmp_path, *words, experiment="by_default")
        assert (status, err) == (0, "")
    first, *others = trials(folder)
    assert first.params == DEFAULTS
    assert first.user_attrs["configured"] == [*DEFAULTS]
    assert len(others) == 2
    assert all(t.params != DEFAULTS and "configured" not in t.user_attrs for t in others)
    assert "Trial 0 took the configured values and" in (folder / "report.html").read_text()


def test_without_them_the_first_trial_is_suggested(tmp_path):
    words = ("study.configured_first=false", "study.n_trials=1")
    status, _, err = run(tmp_path, *words, experiment="by_default")
    assert (status, err) == (0, "")
    (first,) = trials(tmp_path / "studies" / "by_default")
    assert first.params.keys() == DEFAULTS.keys()
    assert first.params != DEFAULTS
