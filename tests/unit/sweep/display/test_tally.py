"""What a study counts while it runs, and how long the rest will take."""

from datetime import datetime, timedelta

import optuna
from optuna.trial import TrialState

from lightning_hpo.sweep.display.tally import Tally, tally_earlier


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
