"""The study's figures: frames, marks and the timeline, by literal values."""

import random
from datetime import timedelta
from pathlib import Path

import pytest
from optuna.distributions import CategoricalDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial
from report_study import START, results_of, some_trial

from lightning_hpo.report.figures import folds, history, parameters
from lightning_hpo.report.figures.canvas import MAX_BYTES, Spot, drawing, frame_values, to_picture
from lightning_hpo.report.figures.timeline import schedule, timeline, timeline_words
from lightning_hpo.results.importances import Importances
from lightning_hpo.results.record import Record


def record(trials: list[FrozenTrial]) -> Record:
    for number, trial in enumerate(trials):
        trial.number = number
    return Record(Path("s"), results_of("s", trials, final=True), tuple(trials), Importances({}))


def ran(start_s: float, end_s: float, **attributes: int) -> FrozenTrial:
    trial = create_trial(value=1.0, user_attrs=attributes)
    trial.datetime_start = START + timedelta(seconds=start_s)
    trial.datetime_complete = START + timedelta(seconds=end_s)
    return trial


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


def test_same_study_gives_the_same_bytes() -> None:
    rng = random.Random(0)
    study = record([some_trial(number, rng) for number in range(6)])
    assert history.history(study).data == history.history(study).data


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


def test_slices_skip_what_was_not_searched_and_take_every_kind_of_choice() -> None:
    choices = CategoricalDistribution(["a", None, True, 0.5, "a very long name of a choice"])
    single = CategoricalDistribution(["only"])
    trials = [
        create_trial(
            value=1.0,
            params={"kind": choice, "one": "only"},
            distributions={"kind": choices, "one": single},
        )
        for choice in choices.choices
    ]
    (picture,) = parameters.slices(record(trials))
    assert "over kind in 5 trials" in picture.alt


def test_values_that_are_nan_are_drawn_at_the_edge() -> None:
    trial = create_trial(
        state=TrialState.PRUNED, intermediate_values={0: float("nan"), 1: float("nan")}
    )
    picture = history.intermediate_values(record([trial]))
    assert picture is not None
    assert picture.marks[0].label == "trial 0: nan, pruned after 2"


def test_nothing_reported_means_no_picture() -> None:
    assert history.intermediate_values(record([create_trial(value=1.0)])) is None
    assert parameters.importance_bars(record([create_trial(value=1.0)])) is None


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
