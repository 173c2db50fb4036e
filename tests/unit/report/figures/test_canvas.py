"""Frames, marks and pictures, by literal values."""

import random

import pytest
from drawn_trials import record
from report_study import some_trial

from lightning_hpo.report.figures import folds, history, parameters
from lightning_hpo.report.figures.canvas import MAX_BYTES, Spot, drawing, frame_values, to_picture
from lightning_hpo.report.figures.timeline import timeline


def test_frame_cuts_diverged_values_off_and_draws_them_at_its_edge() -> None:
    frame = frame_values([0.2, 0.3, 0.4, 0.5, 0.3, 0.4, 0.2, 0.3, 0.4, 1e6], minimize=True)
    assert 0.0 < frame.low < 0.2
    assert frame.clip(1e6) == frame.high
    assert frame.note([0.3, 1e6, None, float("nan")]) == (
        " One value lies beyond the frame, at its edge."
    )


# Rule: beyond 2.5 times the way from the best value to the ninth decile, here 0.2 to 0.5, the frame
# ends half that way behind the decile, and a margin of 6 % further.
def test_frame_leaves_room_for_what_lies_close_together() -> None:
    close = [0.2, 0.3, 0.4, 0.5] * 5
    assert frame_values([*close, 0.94], minimize=True).high == pytest.approx(0.94 + 0.06 * 0.74)
    assert frame_values([*close, 0.96], minimize=True).high == pytest.approx(0.65 + 0.06 * 0.45)


def test_frame_keeps_the_good_end_when_maximizing() -> None:
    frame = frame_values([0.9, 0.8, 0.7, -1e6] * 3, minimize=False)
    assert frame.high > 0.9
    assert frame.clip(float("nan")) == frame.bad == frame.low


def test_frame_is_logarithmic_over_decades_and_never_for_negative_values() -> None:
    assert frame_values([0.1, 1.0, 10.0, 50.0], minimize=True).log
    assert not frame_values([-0.1, 1.0, 10.0, 50.0], minimize=True).log


@pytest.mark.parametrize("values", [[], [float("nan")], [0.0], [1.0, 1.0], [float("inf"), 2.0]])
def test_frame_has_a_length_whatever_the_values(values: list[float]) -> None:
    frame = frame_values(values, minimize=True)
    assert frame.low < frame.high


def test_marks_lie_where_the_points_were_drawn() -> None:
    with drawing(4, 3) as (figure, axes):
        axes.set(xlim=(0, 1), ylim=(0, 1))
        corners = [Spot(0, 0, "origin"), Spot(1, 1, "top right"), Spot(9, 9, "outside")]
        picture = to_picture(figure, axes, alt="", spots=corners)
    box = axes.get_position()
    origin, top_right = picture.marks
    assert (origin.x, origin.y) == (pytest.approx(box.x0), pytest.approx(1 - box.y0))
    assert (top_right.x, top_right.y) == (pytest.approx(box.x1), pytest.approx(1 - box.y1))


def test_text_stays_text_and_is_no_mathematics() -> None:
    with drawing(4, 3) as (figure, axes):
        axes.set_xlabel("$x_1$ <b>")
        svg = to_picture(figure, axes, alt="").data.decode()
    assert "$x_1$ &lt;b&gt;</text>" in svg


def test_large_drawings_become_small_pngs() -> None:
    rng = random.Random(0)
    with drawing(5, 3) as (figure, axes):
        for _ in range(40):
            axes.plot([rng.random() for _ in range(1000)])
        picture = to_picture(figure, axes, alt="")
    assert picture.kind == "png"
    assert len(picture.data) <= MAX_BYTES


def test_every_picture_describes_itself() -> None:
    rng = random.Random(0)
    study = record([some_trial(number, rng) for number in range(12)])
    pictures = [
        history.history(study),
        history.intermediate_values(study),
        folds.fold_spread(study),
        timeline(study),
        *parameters.slices(study),
    ]
    assert len(pictures) == 4 + 6
    assert all(picture and len(picture.alt) > 30 for picture in pictures)
