"""The marks of trials in pictures: their labels and the range that they need."""

import math

import pytest
from literal_trials import record, trial, values
from optuna.trial import TrialState

from lightning_hpo.report.figures.canvas import drawing, frame_values
from lightning_hpo.report.figures.marks import objective_frame, scatter, star, told


@pytest.mark.parametrize(
    ("marked", "label"),
    [
        (trial(7, 0.123456), "trial 7: 0.1235, completed"),
        (trial(8, state=TrialState.PRUNED, steps=3), "trial 8: 1, pruned after 3"),
        (trial(9, state=TrialState.FAIL, steps=0), "trial 9: –, failed"),
        (trial(10, state=TrialState.RUNNING, steps=2), "trial 10: 1, running"),
    ],
)
def test_a_label_says_number_value_and_state(marked, label: str) -> None:
    assert told(marked) == label


# Rule: the completed trials decide the range; pruned ones get more room beside it.
def test_the_frame_is_that_of_the_completed_trials() -> None:
    complete = values(1.0, 2.0)
    pruned = trial(2, state=TrialState.PRUNED)
    alone, beside = (objective_frame(record(t)) for t in (complete, [*complete, pruned]))
    assert alone == frame_values([1.0, 2.0], minimize=True, margin=0.06)
    assert beside == frame_values([1.0, 2.0], minimize=True, margin=0.4)


def test_where_none_completed_all_that_was_reported_counts() -> None:
    frame = objective_frame(
        record([trial(0, state=TrialState.PRUNED), trial(1, state=TrialState.FAIL, steps=0)])
    )
    assert frame == frame_values([1.0], minimize=True, margin=0.06)


# Rule: what lies beyond the frame is drawn, and can be hovered, at its edge.
def test_points_can_be_hovered_where_they_are_drawn() -> None:
    frame = frame_values([1.0, 2.0], minimize=True)
    shown = values(1.5, math.inf)
    with drawing(4, 3) as (_, axes):
        spots = scatter(axes, TrialState.COMPLETE, shown, frame, x=[0.0, 1.0])
        assert [text.get_label() for text in axes.collections] == ["completed"]
        assert scatter(axes, TrialState.PRUNED, [], frame, x=[]) == []
        assert len(axes.collections) == 1
        star(axes, 0.0, 1.5)
        assert axes.collections[-1].get_offsets().tolist() == [[0.0, 1.5]]
    assert [(spot.x, spot.y) for spot in spots] == [(0.0, 1.5), (1.0, frame.bad)]
    assert [spot.label for spot in spots] == [
        "trial 0: 1.5, completed",
        "trial 1: inf, completed",
    ]
