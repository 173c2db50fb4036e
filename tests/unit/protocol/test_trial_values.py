"""``losses.npz`` of a trial: one value for each sample, from the files of its folds."""

from pathlib import Path

import numpy as np
import pytest

from lightning_hpo.protocol.folder import JobFolder
from lightning_hpo.protocol.trial_values import (
    TrialValues,
    join,
    of_all_folds,
    read_trial_values,
)


def values(index: list[int], of_each: list[float], quantity: str = "loss") -> TrialValues:
    return TrialValues(np.array(index), np.array(of_each, np.float32), quantity)


# Rule: samples ascend; one that several repeats validated has the mean of these.
def test_folds_are_joined_by_their_samples() -> None:
    found = of_all_folds([values([3, 0], [0.5, 1]), values([1], [2]), values([3, 1], [1.5, 4])])
    assert found is not None
    assert (found.index.tolist(), found.values.tolist()) == ([0, 1, 3], [1, 3, 1])


@pytest.mark.parametrize(
    "folds", [[], [values([0], [1]), None], [values([0], [1]), values([1], [1], "right")]]
)
def test_a_fold_that_is_not_known_leaves_nothing(folds: list[TrialValues | None]) -> None:
    assert of_all_folds(folds) is None


def test_a_trial_has_one_file(tmp_path: Path) -> None:
    folder = JobFolder(tmp_path)
    for fold, kept in enumerate([values([2, 0], [0.5, 1]), values([1], [2])]):
        folder.fold(fold).path.mkdir()
        kept.write(folder.fold(fold).losses)
    join(folder, 2)
    found = read_trial_values(folder.losses)
    assert found is not None
    assert (found.index.tolist(), found.values.tolist()) == ([0, 1, 2], [1, 2, 0.5])
    assert [path.name for path in tmp_path.rglob("*.npz")] == ["losses.npz"]


# Rule: a damaged file is as good as none, of a trial as of a fold.
@pytest.mark.parametrize("content", [b"", b"no archive", None])
def test_a_damaged_file_is_as_good_as_none(tmp_path: Path, content: bytes | None) -> None:
    path = JobFolder(tmp_path).fold(0).losses
    path.parent.mkdir()
    if content is None:
        np.savez(path, index=np.arange(3), values=np.zeros(2), quantity=np.array("loss"))
    else:
        path.write_bytes(content)
    assert read_trial_values(path) is None
    join(JobFolder(tmp_path), 1)
    assert not JobFolder(tmp_path).losses.exists()
