"""The outputs of a fold by epoch: what is kept until its epoch is known, and what of it counts."""

from pathlib import Path

import numpy as np
import pytest

from lightning_hpo.protocol import outputs
from lightning_hpo.protocol.folder import JobFolder
from lightning_hpo.protocol.outputs import OutputsByEpoch, settle
from lightning_hpo.protocol.samples import read_samples

INDEX, TARGET = np.array([4, 2]), np.array([0.0, 0.0], dtype=np.float32)


def given(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float32)


def waiting(folder: Path, *, only_last: bool = False) -> JobFolder:
    """A fold of two samples that gave (0, 1) in epoch 1 and (2, 3) in epoch 3."""
    folder.mkdir(exist_ok=True)
    found = OutputsByEpoch(only_last)
    found.add(1, given(9, 9))
    found.add(1, given(0, 1))
    found.add(3, given(2, 3))
    found.write(JobFolder(folder).outputs, INDEX, TARGET)
    return JobFolder(folder)


# Squared errors: 0 and 1 in epoch 1, whose mean is the loss that was logged there.
def test_what_counts_is_of_the_epoch_that_a_fold_is_judged_at(tmp_path: Path) -> None:
    folders = [waiting(tmp_path / "fold_0"), waiting(tmp_path / "fold_1")]
    settle(folders, [1, 3], [{"val/loss": 0.5}, {"val/loss": 6.0}])
    first, second = (read_samples(folder.samples) for folder in folders)
    assert first is not None
    assert second is not None
    assert (first.epoch, first.output.tolist(), first.loss.tolist()) == (1, [0, 1], [0, 1])
    assert (first.index.tolist(), first.metric) == ([4, 2], "val/loss")
    assert (second.epoch, second.output.tolist(), second.metric) == (3, [2, 3], None)
    assert [path.name for path in sorted(tmp_path.glob("fold_*/*"))] == ["samples.npz"] * 2


def test_to_settle_again_changes_nothing(tmp_path: Path) -> None:
    folder = waiting(tmp_path / "fold_0")
    settle([folder], [1], [{}])
    before = folder.samples.read_bytes()
    settle([folder], [1], [{}])
    assert folder.samples.read_bytes() == before


# Rule: no samples of an epoch at which the fold is not judged.
def test_samples_of_another_epoch_do_not_stay(tmp_path: Path) -> None:
    folder = waiting(tmp_path / "fold_0")
    settle([folder], [1], [{}])
    settle([folder], [3], [{}])
    assert not folder.samples.exists()
    last = waiting(tmp_path / "fold_1", only_last=True)
    settle([last], [1], [{}])
    assert list(last.path.iterdir()) == []


def test_above_a_limit_only_the_last_epoch_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outputs, "MOST_BYTES", 16)  # two epochs of two samples
    found = OutputsByEpoch()
    found.add(0, given(0, 0))
    found.add(1, given(1, 1))
    assert list(found.by_epoch) == [0, 1]
    found.add(2, given(2, 2))
    found.add(3, given(3, 3))
    assert list(found.by_epoch) == [3]
