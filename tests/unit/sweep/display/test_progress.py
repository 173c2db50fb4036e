"""How far trials and fits are, in a row for each busy slot."""

from pathlib import Path

import pytest
from recorded_display import EPOCHS, FOLDS, recorder

from lightning_hpo.callbacks.progress import ProgressFile
from lightning_hpo.sweep.display.progress import Running, RunningFit, SlotTable, Steps, fit_progress


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


def test_a_fit_that_has_told_nothing_is_starting(tmp_path: Path) -> None:
    assert fit_progress(tmp_path) is None
    row = RunningFit("fold_2", 1, tmp_path).row()
    assert (row.slot, row.title, row.words, row.total) == (1, "fold 2", "", None)
    ProgressFile(tmp_path, epochs=4, metric="m").report(0, 0.5)
    row = RunningFit("fold_2", 1, tmp_path).row()
    assert (row.words, row.value, row.done, row.total) == ("1 of 4 epochs", "m 0.5000", 1, 4)
