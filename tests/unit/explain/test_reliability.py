"""A temperature is fitted where every fold has kept its logits; what is missing is said."""

import json
from pathlib import Path

import numpy as np
import pytest

from lightning_hpo.explain.reliability import calibrate, reliability_figure
from lightning_hpo.protocol.folder import FinalFolder, JobFolder
from lightning_hpo.protocol.samples import Samples

# Of a calibrated network: two classes, of which the first is right in 3 of 4 cases.
LOG_ODDS = np.log(3.0)


def leave(folder: JobFolder, *, scale: float, n: int = 40, **result: object) -> None:
    """A job's samples, its logits too large by ``scale``."""
    folder.path.mkdir(parents=True)
    folder.result.write_text(json.dumps(result))
    logits = np.tile([scale * LOG_ODDS, 0.0], (n, 1)).astype(np.float32)
    Samples.of(np.arange(n), logits, (np.arange(n) % 4 == 0).astype(np.int64)).write(folder.samples)


def test_logits_that_are_three_times_too_large_get_a_temperature_of_three(tmp_path: Path) -> None:
    final = FinalFolder(tmp_path)
    for fold in (0, 1):
        leave(final.fold(fold), scale=3.0)
    leave(final.refit, scale=3.0)
    found = calibrate(final)
    assert found is not None
    assert found["temperature"] == pytest.approx(3.0, rel=1e-3)
    # Three log odds of 3 say 27 / 28, and 3 of 4 are right; at its temperature it says 3 of 4.
    for part, n in (("held_out", 80), ("test", 40)):
        assert found["ece"][part]["n"] == n
        assert found["ece"][part]["before"] == pytest.approx(27 / 28 - 0.75, abs=1e-4)
        assert found["ece"][part]["after"] == pytest.approx(0.0, abs=1e-3)
    assert json.loads(final.calibration.read_text()) == found
    assert list(reliability_figure(final)) == ["reliability"]


def test_a_fold_without_logits_leaves_no_temperature_and_the_reason(tmp_path: Path) -> None:
    final = FinalFolder(tmp_path)
    leave(final.fold(0), scale=1.0)
    leave(final.fold(1), scale=1.0, no_samples="there are 2 loaders")
    final.fold(1).samples.unlink()
    assert calibrate(final, classes=True) == {
        "temperature": None,
        "why": "fold_1 kept no logits: there are 2 loaders",
    }
    assert not final.calibration.exists()
    assert reliability_figure(final) == {}


def test_values_and_a_final_job_without_folds_have_no_calibration(tmp_path: Path) -> None:
    final = FinalFolder(tmp_path)
    assert calibrate(final, classes=True) is None
    folder = final.fold(0)
    folder.path.mkdir()
    folder.result.write_text("{}")
    Samples.of(np.arange(3), np.ones(3), np.zeros(3, dtype=np.float32)).write(folder.samples)
    assert calibrate(final) is None
