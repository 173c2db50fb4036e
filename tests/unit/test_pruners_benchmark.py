"""benchmarks/pruners.py, on trials whose figures are counted by hand."""

import numpy as np
import optuna
import pytest
from optuna.pruners import MedianPruner, NopPruner

from benchmarks.pruners import Replayed, regret_of, replay
from benchmarks.recordings import every

# Four trials of three epochs; the third is the best, and looks bad before its end.
TRIALS = np.array([[3.0, 2.0, 2.0], [3.0, 2.5, 3.0], [9.0, 8.0, 1.0], [4.0, 4.0, 4.0]])


def test_the_regret_is_a_share_of_the_way_from_the_median_to_the_best() -> None:
    # The median of 2, 3, 1 and 4 is 2.5, the best 1: two is 1 / 1.5 of the way up.
    assert regret_of(TRIALS, [0, 3]) == pytest.approx(2 / 3)
    assert regret_of(TRIALS, [2, 3]) == 0


def test_without_a_pruner_the_budget_ends_the_search() -> None:
    # Two trials take six epochs; a third begins while one is left.
    assert replay(TRIALS, [3, 1, 0, 2], NopPruner(), budget=7) == Replayed(
        regret=pytest.approx(2 / 3), met=3, lost=0
    )
    assert replay(TRIALS, [3, 1, 0, 2], NopPruner(), budget=6).met == 2


def test_a_pruner_that_looks_early_loses_the_best() -> None:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    early, late = MedianPruner(2, 0), MedianPruner(2, 2)
    order = [0, 1, 2, 3]
    assert replay(TRIALS, order, early, budget=12) == Replayed(
        regret=pytest.approx(2 / 3), met=4, lost=2
    )
    assert replay(TRIALS, order, late, budget=12) == Replayed(regret=0.0, met=4, lost=0)


def test_every_recording_is_of_whole_trials() -> None:
    recordings = every()
    assert len(recordings) >= 2
    for recording in recordings:
        assert len(recording.curves) >= 50 and np.isfinite(recording.curves).all()
        assert recording.curves.shape == (len(recording.values), len(recording.epochs))
