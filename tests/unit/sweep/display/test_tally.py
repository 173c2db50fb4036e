"""What a study counts while it runs, and how long the rest will take."""

from datetime import datetime, timedelta

import optuna
from optuna.trial import TrialState
from recorded_display import COMPLETE, FAILED, PRUNED

from lightning_hpo.sweep.display.tally import Tally, tally_earlier
from lightning_hpo.sweep.search.verdict import Verdict


# Rule: a resumed study knows from its first trials how long the rest will take.
def test_earlier_trials_count_with_the_time_that_they_took():
    study, start = optuna.create_study(), datetime(2026, 1, 1)
    for state, seconds in ((TrialState.COMPLETE, 40), (TrialState.PRUNED, 10)):
        trial = optuna.trial.create_trial(
            state=state, value=0.5 if state is TrialState.COMPLETE else None
        )
        trial.datetime_start, trial.datetime_complete = start, start + timedelta(seconds=seconds)
        study.add_trial(trial)
    tally = Tally(total=2, slots=1, monitor="val/loss", final_rounds=2, final_cost=1.5)
    assert tally.left_s() is None
    tally_earlier(study, tally)
    assert (tally.complete, tally.pruned, tally.best) == (1, 1, (0.5, 0))
    # Nothing left to search; two rounds of fits, each half as long again as the complete trial.
    assert tally.left_s() == 2 * 1.5 * 40


def test_the_estimate_covers_the_search_and_the_final_job():
    tally = Tally(total=10, slots=2, monitor="val/loss", final_rounds=4)
    assert tally.left_s() is None
    tally.count(0, COMPLETE, 12.0)
    tally.count(1, PRUNED, 4.0)
    # 8 trials in 2 slots are 4 waves of the mean, 8 s; then 4 fits as long as a complete trial.
    assert tally.left_s() == 4 * 8.0 + 4 * 12.0
    tally.count_fit()
    assert tally.left_s() == 4 * 8.0 + 3.5 * 12.0
    for _ in range(9):  # more than was foreseen
        tally.count_fit()
    assert tally.left_s() == 4 * 8.0


# Rule: a fit of the final job takes as much longer than a complete trial as it has more to do.
def test_the_estimate_knows_that_final_fits_are_longer():
    tally = Tally(total=1, slots=2, monitor="val/loss", final_rounds=4, final_cost=2.5)
    tally.count(0, COMPLETE, 10.0)
    assert tally.left_s() == 4 * 25.0


def test_the_estimate_knows_that_a_slot_takes_several_trials_at_once():
    tally = Tally(total=41, slots=2, monitor="val/loss", final_rounds=1, capacity=8)
    tally.count(0, COMPLETE, 10.0)
    # 40 trials, 8 at a time; the fits of the final job run alone.
    assert tally.left_s() == 5 * 10.0 + 1 * 10.0


def test_the_best_value_follows_the_direction():
    for minimize, best in ((True, (0.1, 1)), (False, (0.9, 2))):
        tally = Tally(total=3, slots=1, monitor="m", minimize=minimize)
        for number, value in enumerate((0.5, 0.1, 0.9)):
            tally.count(number, Verdict(TrialState.COMPLETE, values=[value]), 1.0)
        assert tally.best == best


def test_a_trial_that_will_be_tried_again_is_not_counted_as_failed():
    tally = Tally(total=3, slots=1, monitor="m")
    tally.count(0, Verdict(TrialState.FAIL, reason="killed", retry=True), 1.0)
    tally.count(1, FAILED, 1.0)
    assert (tally.failed, tally.done) == (1, 1)
