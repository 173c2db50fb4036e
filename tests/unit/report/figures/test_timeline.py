"""When which slot was busy, by literal times."""

from datetime import timedelta

import pytest
from drawn_trials import record
from optuna.trial import FrozenTrial, TrialState, create_trial
from report_study import START

from lightning_hpo.report.figures.timeline import schedule, timeline, timeline_words


def ran(start_s: float, end_s: float, **attributes: int) -> FrozenTrial:
    trial = create_trial(value=1.0, user_attrs=attributes)
    trial.datetime_start = START + timedelta(seconds=start_s)
    trial.datetime_complete = START + timedelta(seconds=end_s)
    return trial


# Two slots at once, then a night without trials, then one more trial.
def test_timeline_cuts_pauses_out_and_fills_free_lanes() -> None:
    plan = schedule([ran(0, 30), ran(10, 40), ran(32, 50), ran(40000, 40010)])
    assert [(bar.start_s, bar.end_s, bar.lane) for bar in plan.bars] == [
        (0, 30, 0),
        (10, 40, 1),
        (32, 50, 0),
        (50, 60, 0),
    ]
    assert plan.pauses_s == {50: 39950}
    assert plan.busy == pytest.approx((30 + 30 + 18 + 10) / (2 * 60))
    assert "1 pause between runs (11 h 5 min) left out" in timeline_words(plan)


def test_timeline_takes_the_recorded_slots() -> None:
    assert [bar.lane for bar in schedule([ran(0, 9, slot=1), ran(10, 19, slot=0)]).bars] == [1, 0]


def test_timeline_without_ended_trials_is_none() -> None:
    running = create_trial(state=TrialState.RUNNING)
    assert timeline(record([running])) is None
