"""Counts, estimates and lines that a person sees."""

import io

import pytest
from optuna.trial import TrialState
from rich.console import Console

from lightning_hpo.sweep.display import Display, Tally, duration
from lightning_hpo.sweep.verdict import Verdict

COMPLETE = Verdict(TrialState.COMPLETE, values=[0.5])
PRUNED = Verdict(TrialState.PRUNED, reason="pruned at epoch 1")
FAILED = Verdict(TrialState.FAIL, reason="ZeroDivisionError: by zero")


def test_the_estimate_covers_the_search_and_the_final_job():
    tally = Tally(total=10, slots=2, monitor="val/loss", final_rounds=4)
    assert tally.left_s() is None
    tally.count(0, COMPLETE, 12.0)
    tally.count(1, PRUNED, 4.0)
    # 8 trials in 2 slots are 4 waves of the mean, 8 s; then 4 fits as long as a complete trial.
    assert tally.left_s() == 4 * 8.0 + 4 * 12.0


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


@pytest.mark.parametrize(
    ("seconds", "text"), [(45, "45 s"), (89.6, "90 s"), (720, "12 min"), (12600, "3.5 h")]
)
def test_durations_are_for_people(seconds, text):
    assert duration(seconds) == text


def test_without_a_terminal_each_trial_is_a_line_with_the_state_of_the_study():
    out = io.StringIO()
    tally = Tally(total=4, slots=1, monitor="val/loss")
    display = Display(tally, console=Console(file=out, soft_wrap=True))
    with display.shown():
        for number, verdict in enumerate((COMPLETE, PRUNED, FAILED)):
            display.started(number)
            display.finished(number, verdict, 3.0)
    lines = out.getvalue().splitlines()
    assert lines[0] == "trial   0  complete  val/loss 0.5000    3.0 s"
    assert lines[2] == "trial   1  pruned    at epoch 1    3.0 s"
    assert lines[4] == "trial   2  FAILED    ZeroDivisionError: by zero    3.0 s"
    assert lines[5] == (
        "  3 of 4 trials: 1 complete, 1 pruned, 1 failed | best val/loss 0.5000 (trial 0)"
        " | left: about 3 s"
    )


def test_on_a_terminal_the_state_of_the_study_stays_below_the_trials():
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=120, _environ={})
    display = Display(Tally(total=2, slots=1, monitor="val/loss"), console=console)
    with display.shown():
        display.stage("search")
        display.started(0)
        display.finished(0, COMPLETE, 3.0)
    text = out.getvalue()
    assert text.index("complete  val/loss") < text.rindex("1 of 2 trials")
