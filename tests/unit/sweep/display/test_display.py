"""Lines and the live view that a person sees."""

import io
import re

import pytest
from optuna.distributions import FloatDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial
from recorded_display import COMPLETE, EPOCHS, FAILED, PRUNED, recorder
from rich.console import Console

from lightning_hpo.sweep.display.display import Display
from lightning_hpo.sweep.display.tally import Tally
from lightning_hpo.sweep.search.verdict import Verdict


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
    # Its row may have been drawn again before it ended.
    assert re.search("(?<!slot 1  )refit 1 ", console.file.getvalue()) is None


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
