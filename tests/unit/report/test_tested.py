"""The test of one network with its intervals."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from report_study import regression_results, write_results

from lightning_hpo.protocol.folder import JobFolder, StudyFolder
from lightning_hpo.protocol.samples import Samples
from lightning_hpo.report.tested import test_lines as lines_of
from lightning_hpo.results.record import read_record

FOUR = {"test/loss": 0.5, "test/accuracy": 0.75, "test/f1": 0.7}


def keep(job: JobFolder) -> None:
    """Four samples of the losses 0.25, 0.5, 0.5 and 0.75."""
    job.path.mkdir(parents=True)
    samples = Samples.of(np.arange(4), np.zeros((4, 2), np.float32), np.array([0, 0, 0, 1]))
    losses = np.array([0.25, 0.5, 0.5, 0.75], np.float32)
    replace(samples, loss=losses, metric="test/loss").write(job.samples)


def told(folder: Path, results: dict[str, Any], *, ensemble: bool) -> list[str]:
    write_results(folder, regression_results("study") | results)
    return list(lines_of(read_record(folder), ensemble=ensemble))


# Rule: Wilson's interval of 3 of 4, and Student's over the four losses.
@pytest.mark.parametrize("ensemble", [False, True])
def test_a_metric_has_the_interval_that_its_samples_give(ensemble: bool, tmp_path: Path) -> None:
    final = StudyFolder(tmp_path).final
    keep(final.ensemble if ensemble else final.refit)
    of: Any = {"ensemble": {"test": FOUR}} if ensemble else {"refits": [{"test": FOUR}]}
    assert told(tmp_path, of, ensemble=ensemble) == [
        "This network on the test set of 4 samples: test/loss = 0.5, 95 % interval 0.1752 to"
        " 0.8248 (Student's t over the samples).",
        "This network on the test set of 4 samples: test/accuracy = 0.75, 95 % interval 0.3006 to"
        " 0.9544 (Wilson).",
        "This network on the test set of 4 samples: test/f1 = 0.7.",
    ]


def test_without_samples_a_metric_has_no_interval(tmp_path: Path) -> None:
    refits = [{"test": {"test/accuracy": 0.75}}]
    assert told(tmp_path, {"refits": refits}, ensemble=False) == [
        "This network on the test set: test/accuracy = 0.75."
    ]


def test_a_network_without_a_test_says_why(tmp_path: Path) -> None:
    untested = {"refits": [{"test": {}}], "test": None, "no_test": "there are no test data"}
    assert told(tmp_path, untested, ensemble=False) == [
        "This network was not tested: there are no test data."
    ]
    assert told(tmp_path, {}, ensemble=True) == ["This network was not tested."]


# Rule: an earlier version has not noted which network had what; that is no lack of a test.
def test_an_older_study_says_nothing_of_its_single_network(tmp_path: Path) -> None:
    assert told(tmp_path, {}, ensemble=False) == []
