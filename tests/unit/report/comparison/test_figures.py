"""The curves that several studies share."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from compared_studies import contest, study
from optuna.trial import FrozenTrial, TrialState, create_trial

from lightning_hpo.report.comparison.figures import Curve, logged, over_time, over_trials

START = datetime(2026, 3, 4, 9, 30)


def trial(number: int, value: float | None, end_s: float) -> FrozenTrial:
    state = TrialState.PRUNED if value is None else TrialState.COMPLETE
    made = create_trial(state=state, value=value)
    made.number = number
    made.datetime_start, made.datetime_complete = START, START + timedelta(seconds=end_s)
    return made


# Rule: over time, the best value so far steps when a trial ends, whatever its number; pruned
# trials take time and give no value.
def test_searches_are_drawn_over_trials_and_over_time(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Curve] = []
    monkeypatch.setattr(
        "lightning_hpo.report.comparison.figures._chart",
        lambda curves, **_: drawn.extend(curves),
    )
    trials = [trial(0, 0.5, 30.0), trial(1, 0.7, 10.0), trial(2, None, 50.0), trial(3, 0.6, 40.0)]
    ((goal, entries),) = contest(study("a", []), trials=trials).by_goal()
    over_trials(entries, goal)
    over_time(entries, goal)
    assert (list(drawn[0].x), list(drawn[0].y)) == ([1, 2, 4, 4], [0.5, 0.5, 0.5, 0.5])
    assert (drawn[1].x, drawn[1].y) == ([10.0, 30.0, 40.0, 50.0], [0.7, 0.5, 0.5, 0.5])
    assert drawn[1].label == "a: 0.5 after 50 s"


# Rule: without a completed trial there is nothing to draw.
def test_no_completed_trial_no_curve() -> None:
    ((goal, entries),) = contest(study("a", []), trials=[trial(0, None, 5.0)]).by_goal()
    assert over_trials(entries, goal) is None
    assert over_time(entries, goal) is None


# Rule: a learning curve is a column of metrics.csv, rows without the metric left out.
def test_learning_curves_are_read_from_the_log(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    path.write_text("epoch,step,test/loss,train/loss\n0,2,,1.5\n1,5,,0.5\n2,6,0.3,\n")
    assert logged(path, "train/loss") == ([1.0, 2.0], [1.5, 0.5])
    assert logged(path, "train/accuracy") is None
    assert logged(tmp_path / "none.csv", "train/loss") is None
