"""benchmarks/pruners.py, on trials whose figures are counted by hand."""

import numpy as np
import optuna
import pytest
from optuna.pruners import HyperbandPruner, MedianPruner, NopPruner

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


# Rule: its brackets hang on the study's name, so that the printed lines can be printed again.
def test_hyperband_decides_by_the_name_of_the_study_and_the_same_in_each_run() -> None:
    curves = every()[0].curves[:30]
    n_epochs, order, runs = curves.shape[1], list(range(30)), []
    for _ in range(2):
        pruner = HyperbandPruner(min_resource=1, max_resource=n_epochs)
        budget = curves.size // 2
        runs.append([replay(curves, order, pruner, budget, name=f"order {k}") for k in range(6)])
    assert runs[0] == runs[1]
    assert len(set(runs[0])) > 1


def test_every_recording_is_of_whole_trials() -> None:
    recordings = every()
    assert len(recordings) >= 2
    for recording in recordings:
        assert len(recording.curves) >= 50 and np.isfinite(recording.curves).all()
        assert recording.curves.shape == (len(recording.values), len(recording.epochs))
