"""A nested cross-validation read from what its outer folds' studies left."""

import json
from pathlib import Path
from typing import Any

import pytest

from lightning_hpo.results import nested


def outer(study_dir: Path, fold: int, loss: float | None, **changes: Any) -> None:
    folder = study_dir / "nested" / f"fold_{fold}"
    folder.mkdir(parents=True, exist_ok=True)
    found = {
        "outer": {"fold": fold, "n_folds": 3},
        "best": {"number": 7, "value": 1.0, "params": {"optimizer.lr": 0.1}},
        "test": None if loss is None else {"test/loss": loss},
    }
    (folder / "results.json").write_text(json.dumps(found | changes))


def test_mean_and_deviation_are_those_of_the_folds(tmp_path: Path) -> None:
    for fold, loss in enumerate([1.0, 2.0, 6.0]):
        outer(tmp_path, fold, loss)
    found = nested.summary(tmp_path, 3)
    assert found is not None
    assert found["n_folds"] == 3
    assert found["folds"][1] == {
        "fold": 1,
        "trial": 7,
        "params": {"optimizer.lr": 0.1},
        "test": {"test/loss": 2.0},
    }
    assert found["test/loss_mean"] == 3.0
    assert found["test/loss_std"] == pytest.approx(7**0.5)


def test_fixed_parameters_have_no_best_trial(tmp_path: Path) -> None:
    outer(tmp_path, 0, 1.0, best=None)
    assert nested.of_fold(tmp_path, 0, 3) == {
        "fold": 0,
        "trial": None,
        "params": {},
        "test": {"test/loss": 1.0},
    }


# Rule: half of the folds say nothing of the procedure, nor do those of other outer folds.
def test_until_all_folds_have_ended_there_is_no_summary(tmp_path: Path) -> None:
    assert nested.summary(tmp_path, None) is None
    for fold in range(2):
        outer(tmp_path, fold, 1.0)
    assert nested.summary(tmp_path, 3) is None
    outer(tmp_path, 2, None)
    assert nested.summary(tmp_path, 3) is None
    outer(tmp_path, 2, 1.0, outer={"fold": 2, "n_folds": 5})
    assert nested.summary(tmp_path, 3) is None
    (tmp_path / "nested" / "fold_2" / "results.json").write_text("{")
    assert nested.summary(tmp_path, 3) is None
