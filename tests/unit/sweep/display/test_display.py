"""Counts, estimates and lines that a person sees."""

import io
import re
from typing import Any

import pytest
from optuna.distributions import FloatDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial
from rich.console import Console

from lightning_hpo.results.text import roughly
from lightning_hpo.sweep.display.display import Display
from lightning_hpo.sweep.display.progress import Running, SlotTable, Steps
from lightning_hpo.sweep.display.tally import Tally
from lightning_hpo.sweep.search.verdict import Verdict

COMPLETE = Verdict(TrialState.COMPLETE, values=[0.5])
PRUNED = Verdict(TrialState.PRUNED, reason="pruned at epoch 1")
FAILED = Verdict(TrialState.FAIL, reason="ZeroDivisionError: by zero")


def begun(number: int, *, slot: int = 0, **params: float) -> FrozenTrial:
    """A running trial, as the search shows it to the display."""
    trial = create_trial(
        state=TrialState.RUNNING,
        params=params,
        distributions={name: FloatDistribution(0, 1) for name in params},
        user_attrs={"slot": slot},
    )
    trial.number = number
    return trial


def reporting(trial: FrozenTrial, **values: float) -> FrozenTrial:
    """The same trial with intermediate values, ``step_4=0.5``."""
    trial.intermediate_values = {int(k.removeprefix("step_")): v for k, v in values.items()}
    return trial


def recorder(**settings: Any) -> Console:
    """A console that keeps what it shows; by default not a terminal."""
    settings = {"force_terminal": False, "_environ": {}, "width": 100} | settings
    return Console(file=io.StringIO(), record=True, highlight=False, **settings)


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


def test_a_mean_over_some_folds_is_shown_as_such_and_never_the_best():
    console = Console(file=io.StringIO(), width=200)
    display = Display(Tally(total=2, slots=1, monitor="val/loss"), console=console)
    stopped = Verdict(TrialState.COMPLETE, values=[0.25], stopped_after_fold=3)
    for number, verdict in enumerate((COMPLETE, stopped)):
        display.started(begun(number))
        display.finished(number, verdict, 1.0)
    assert "trial   1  complete  val/loss 0.2500, stopped after fold 3" in console.file.getvalue()
    assert display.tally.best == (0.5, 0)
    assert display.tally.complete == 2


def test_a_trial_that_will_be_tried_again_is_not_counted_as_failed():
    tally = Tally(total=3, slots=1, monitor="m")
    tally.count(0, Verdict(TrialState.FAIL, reason="killed", retry=True), 1.0)
    tally.count(1, FAILED, 1.0)
    assert (tally.failed, tally.done) == (1, 1)


@pytest.mark.parametrize(
    ("seconds", "text"), [(45, "45 s"), (89.6, "90 s"), (720, "12 min"), (12600, "3.5 h")]
)
def test_durations_are_for_people(seconds, text):
    assert roughly(seconds) == text


def test_without_a_terminal_each_trial_is_a_line_with_the_state_of_the_study():
    out = io.StringIO()
    tally = Tally(total=4, slots=1, monitor="val/loss")
    display = Display(tally, console=Console(file=out, soft_wrap=True))
    with display.shown():
        for number, verdict in enumerate((COMPLETE, PRUNED, FAILED)):
            display.started(begun(number))
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
        display.started(begun(0))
        display.finished(0, COMPLETE, 3.0)
    text = out.getvalue()
    assert text.index("val/loss 0.5000    3.0 s") < text.rindex("1 of 2 trials")


EPOCHS, FOLDS = Steps(8), Steps(8, folds=3)


@pytest.mark.parametrize(
    ("steps", "step", "words", "total"),
    [
        (EPOCHS, 4, "5 of 8 epochs", 8),
        # Of serial folds, steps go on across folds.
        (FOLDS, 17, "2 of 3 folds, 2 of 8 epochs", 24),
        (FOLDS, 23, "2 of 3 folds, 8 of 8 epochs", 24),
        (Steps(8, folds=3, by_fold=True), 1, "2 of 3 folds", 3),
    ],
)
def test_a_step_is_told_as_what_is_done(steps, step, words, total):
    assert (steps.words(step), steps.total) == (words, total)


def test_the_live_view_has_a_row_for_each_busy_slot():
    running = [Running(7, slot=1, latest=(3, 0.25)), Running(8, slot=0)]
    console = recorder(force_terminal=True, no_color=True)
    console.print(SlotTable([trial.row(EPOCHS, "val/loss") for trial in running]))
    # What is left of a bar differs from what is done by its colour, and is blank without colours.
    assert [line.rstrip() for line in console.export_text().splitlines()] == [
        "  slot 0  trial   8                starting                        0 s",
        "  slot 1  trial   7  ━━━━━━        4 of 8 epochs  val/loss 0.2500  0 s",
    ]


# Rule: what does not fit is left out, first the bar, then the slot, then what the value is of.
@pytest.mark.parametrize(
    ("width", "line"),
    [
        (71, "  slot 1  trial   7  ━━━━━━        4 of 8 epochs  val/loss 0.2500  0 s"),
        (69, "  slot 1  trial   7  4 of 8 epochs  val/loss 0.2500  0 s"),
        (50, "  trial   7  4 of 8 epochs  val/loss 0.2500  0 s"),
        (40, "  trial   7  4 of 8 epochs  0.2500  0 s"),
    ],
)
def test_a_narrow_terminal_shows_less_of_a_slot_in_one_line(width: int, line: str):
    console = recorder(force_terminal=True, no_color=True, width=width)
    console.print(SlotTable([Running(7, slot=1, latest=(3, 0.25)).row(EPOCHS, "val/loss")]))
    assert [shown.rstrip() for shown in console.export_text().splitlines()] == [line]


FOLD = {"fold": 1, "value": 0.8812, "epochs": 12, "seconds": 31.4}
REFIT = {"epochs": 20, "test": {"test/loss": 0.25, "test/accuracy": 0.75}, "seconds": 120.0}


# Rule: a fit of the final job has a row while it runs, with what its folder tells, and is one line
# when it ends; one that is tried again is no line.
def test_fits_of_the_final_job_are_shown_while_they_run(tmp_path):
    console = recorder(force_terminal=True)
    display = Display(Tally(total=0, slots=2, monitor="val/accuracy"), console=console)
    (tmp_path / "fold_1").mkdir()
    told = '{"epochs": 12, "total": 40, "metric": "val/accuracy", "value": 0.75}'
    (tmp_path / "fold_1" / "progress.json").write_text(told)
    with display.shown():
        for slot, name in enumerate(("fold_1", "refit_1")):
            display.fit_started(name, slot, tmp_path / name)
        during = render(display)
        display.fit_ended("fold_1", FOLD)
        display.fit_ended("refit_1", None)
        after = render(display)
    assert "slot 0  fold 1   ━━━╸          12 of 40 epochs  val/accuracy 0.7500  0 s" in during
    assert "slot 1  refit 1                starting                              0 s" in during
    assert "slot" not in after
    assert "fold 1     val/accuracy 0.8812, 12 epochs, 31.4 s" in console.file.getvalue()
    assert "refit 1    " not in console.file.getvalue()


def test_without_a_terminal_each_fit_of_the_final_job_is_one_line(tmp_path):
    console = recorder()
    display = Display(Tally(total=0, slots=2, monitor="val/accuracy"), console=console)
    for name, result in (("fold_1", FOLD), ("holdout", FOLD), ("refit", REFIT)):
        display.fit_started(name, 0, tmp_path / name)
        display.fit_ended(name, result)
    # The module logs no accuracy in the test.
    display.fit_ended("refit_1", REFIT | {"test": {}})
    assert console.export_text().splitlines() == [
        "fold 1     val/accuracy 0.8812, 12 epochs, 31.4 s",
        "holdout    val/accuracy 0.8812, 12 epochs, 31.4 s",
        "refit      test/accuracy 0.7500, 20 epochs, 120.0 s",
        "refit 1    20 epochs, 120.0 s",
    ]


# Rule: lines and the live view, whose height changes, never overwrite each other.
def test_lines_and_the_live_view_do_not_disturb_each_other(monkeypatch):
    monkeypatch.setattr("lightning_hpo.sweep.display.display._REDRAW_S", 1e-4)
    console = recorder(force_terminal=True)
    display = Display(Tally(total=400, slots=4, monitor="m"), console=console)
    with display.shown():
        for number in range(400):
            display.started(begun(number, slot=number % 4))
            if number % 4 == 3:
                for done in range(number - 3, number + 1):
                    display.finished(done, COMPLETE, 1.0)
    lines = on_screen(console.file.getvalue())
    shown = [line for line in lines if line.strip()]
    assert shown[:-1] == [f"trial {n:>3}  complete  m 0.5000    1.0 s" for n in range(400)]
    assert shown[-1].startswith("400 of 400 trials")


def on_screen(output: str) -> list[str]:
    """What a terminal that is high enough shows: it moves up and erases lines as it is told."""
    lines, row = [""], 0
    for part in re.findall(r"\x1b\[[0-9;?]*[A-Za-z]|[\r\n]|[^\x1b\r\n]+", output):
        if part == "\n":
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif part == "\x1b[1A":
            row -= 1
        elif part == "\x1b[2K":
            lines[row] = ""
        elif part != "\r" and not part.startswith("\x1b"):
            lines[row] += part
    return lines


def test_a_slot_is_shown_while_its_trial_runs():
    console = recorder(force_terminal=True)
    display = Display(Tally(total=2, slots=1, monitor="m"), console=console, steps=EPOCHS)
    with display.shown():
        display.started(begun(3))
        display.reported([reporting(begun(3), step_0=2.0, step_4=0.5), begun(99, slot=5)])
        during = render(display)
        display.finished(3, COMPLETE, 1.0)
        after = render(display)
    assert "slot 0  trial   3" in during and "5 of 8 epochs  m 0.5000" in during
    assert "slot 5" not in during  # another controller's trial
    assert "slot" not in after


def render(display: Display) -> str:
    console = recorder()
    console.print(display._render())
    return console.export_text()


def test_the_live_view_fits_a_narrow_terminal():
    # It must know its own height, so it may not leave the folding of long lines to the terminal.
    console = Console(file=io.StringIO(), record=True, width=40, soft_wrap=True, _environ={})
    display = Display(Tally(total=2, slots=1, monitor="val/loss"), console=console)
    options = console.options.update(no_wrap=True, overflow="ignore")
    lines = console.render_lines(display._render(), options, pad=False)
    assert max(sum(segment.cell_length for segment in line) for line in lines) <= 40


@pytest.mark.parametrize(
    ("verbosity", "shown"),
    [
        ("quiet", ["the outcome"]),
        (
            "normal",
            [
                "search",
                "trial   0  complete  m 0.5000    3.0 s",
                "  1 of 1 trials: 1 complete, 0 pruned, 0 failed | best m 0.5000 (trial 0)"
                " | left: about 0 s",
                "a note",
                "the outcome",
            ],
        ),
        (
            "verbose",
            [
                "search",
                "trial   0  started   lr=0.25",
                "trial   0  5 of 8 epochs  m 0.7500",
                "trial   0  complete  m 0.5000    3.0 s",
                "  1 of 1 trials: 1 complete, 0 pruned, 0 failed | best m 0.5000 (trial 0)"
                " | left: about 0 s",
                "a note",
                "the outcome",
            ],
        ),
    ],
)
def test_the_verbosity_decides_what_is_said(verbosity, shown):
    console = recorder()
    tally = Tally(total=1, slots=1, monitor="m")
    display = Display(tally, console=console, verbosity=verbosity, steps=EPOCHS)
    with display.shown():
        display.stage("search")
        display.started(begun(0, lr=0.25))
        for _ in range(2):  # what has been said is not said again
            display.reported([reporting(begun(0), step_4=0.75)])
        display.finished(0, COMPLETE, 3.0)
        display.note("a note")
    display.last_words("the outcome")
    assert console.export_text().splitlines() == shown


def test_a_quiet_study_shows_no_live_view():
    console = recorder(force_terminal=True)
    display = Display(Tally(total=1, slots=1, monitor="m"), console=console, verbosity="quiet")
    with display.shown():
        display.started(begun(0))
        display.finished(0, COMPLETE, 3.0)
    assert console.file.getvalue() == ""


def test_states_have_colours_unless_these_are_off():
    coloured = {"color_system": "standard", "force_terminal": True, "force_interactive": False}
    for environ, expected in (({}, "\x1b[32mcomplete\x1b[0m"), ({"NO_COLOR": "1"}, "  complete  ")):
        console = recorder(**coloured, _environ=environ)
        display = Display(Tally(total=1, slots=1, monitor="m"), console=console)
        display.started(begun(0))
        display.finished(0, COMPLETE, 3.0)
        assert expected in console.file.getvalue()


def test_a_terminal_that_cannot_move_its_cursor_gets_plain_lines():
    console = recorder(force_terminal=True, _environ={"TERM": "dumb"})
    display = Display(Tally(total=1, slots=1, monitor="m"), console=console)
    with display.shown():
        display.started(begun(0))
        display.finished(0, COMPLETE, 3.0)
    assert "\x1b[" not in console.file.getvalue()
    assert console.file.getvalue().startswith("trial   0  complete  m 0.5000    3.0 s\n  1 of 1")
