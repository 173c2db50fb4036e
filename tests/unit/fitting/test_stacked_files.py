"""The files of stacked fits: mean curves and events, by literal curves."""

import math
from pathlib import Path

import numpy as np
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from lightning_hpo.fitting.stacked_files import mean_curve, write_events


def curve(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float32)


# Rule: a fold that has stopped counts with its best epoch, to which its weights went back.
def test_a_fold_that_stopped_counts_with_its_best_epoch() -> None:
    found = mean_curve([curve(4, 2, 8), curve(2, 2, 2, 2, 1)], [1, 4])
    assert found.tolist() == [3.0, 2.0, 5.0, 2.0, 1.5]
    assert found.dtype == np.float32


def test_the_mean_of_one_fold_is_that_fold() -> None:
    assert mean_curve([curve(4, 2, 8)], [1]).tolist() == [4.0, 2.0, 8.0]


# Rule: every n-th epoch is an event, at its 0-based number; what is no number is none.
def test_every_nth_epoch_is_an_event(tmp_path: Path) -> None:
    columns = {"train/loss": curve(5, 4, 3, 2, 1), "val/loss": curve(9, math.nan, 7, 6)}
    write_events(tmp_path, columns, 2)
    events = EventAccumulator(str(tmp_path)).Reload()
    found = {
        name: [(event.step, event.value) for event in events.Scalars(name)] for name in columns
    }
    assert found == {"train/loss": [(1, 4.0), (3, 2.0)], "val/loss": [(3, 6.0)]}
