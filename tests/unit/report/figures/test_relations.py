"""Parallel coordinates and the contour, by literal values."""

from dataclasses import replace
from pathlib import Path

import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial
from report_study import results_of

from lightning_hpo.report.figures import relations
from lightning_hpo.report.figures.canvas import Frame
from lightning_hpo.results.importances import Importances
from lightning_hpo.results.record import Record

LR = FloatDistribution(1e-4, 1e-2, log=True)
DROPOUT = FloatDistribution(0.0, 0.5)
OPTIMIZER = CategoricalDistribution(["sgd", "adam", "radam"])
MOMENTUM = FloatDistribution(0.8, 1.0)


def trial(value: float, lr: float, dropout: float, **more: float) -> FrozenTrial:
    params = {"lr": lr, "dropout": dropout, **more}
    distributions = {"lr": LR, "dropout": DROPOUT, **({"momentum": MOMENTUM} if more else {})}
    return create_trial(value=value, params=params, distributions=distributions)


def record(*trials: FrozenTrial, shares: dict[str, float] | None = None) -> Record:
    for number, found in enumerate(trials):
        found.number = number
    importances = Importances(shares or {"lr": 0.6, "dropout": 0.3, "momentum": 0.1})
    results = results_of("s", list(trials), final=True)
    return Record(Path("s"), results, trials, importances)


EIGHT = tuple(trial(k / 10, 10 ** (-4 + k / 4), (k * 3 % 8) / 16) for k in range(8))


# Rule: a value stands at its share of the range, on the range's own scale; choices stand evenly.
@pytest.mark.parametrize(
    ("distribution", "value", "place"),
    [
        (LR, 1e-3, 0.5),
        (DROPOUT, 0.125, 0.25),
        (IntDistribution(16, 64, step=16), 64, 1.0),
        (OPTIMIZER, "sgd", 0.0),
        (OPTIMIZER, "adam", 0.5),
        (CategoricalDistribution(["one"]), "one", 0.0),
    ],
)
def test_values_stand_at_their_share_of_the_range(distribution, value, place):
    assert relations._place(distribution, value) == pytest.approx(place)


# Rule: a line has a gap where its trial lacks a parameter, and ends at the objective.
def test_a_conditional_parameter_interrupts_the_line():
    space = {"momentum": MOMENTUM, "dropout": DROPOUT, "lr": LR}
    frame = Frame(0.0, 2.0, bad=2.0)
    x, heights = relations._line(trial(0.5, 1e-3, 0.5), space, frame)
    assert list(x) == [0, 1, 2, 3]
    assert heights == pytest.approx([float("nan"), 1.0, 0.5, 0.25], nan_ok=True)


# Rule: parameters that only some trials have stand first, the most important one last.
def test_the_most_important_parameter_stands_beside_the_objective():
    found = record(*EIGHT, trial(0.9, 1e-3, 0.1, momentum=0.9))
    assert list(relations._side_by_side(found)) == ["momentum", "dropout", "lr"]


def test_each_completed_trial_can_be_hovered_at_the_objective():
    pruned = create_trial(
        state=TrialState.PRUNED,
        params={"lr": 1e-3, "dropout": 0.1},
        distributions={"lr": LR, "dropout": DROPOUT},
    )
    picture = relations.parallel_coordinates(record(*EIGHT, pruned))
    assert [mark.label.split(":")[0] for mark in picture.marks] == [f"trial {k}" for k in range(8)]
    assert len({mark.x for mark in picture.marks}) == 1
    assert "8 completed trials over 2 parameters" in picture.alt


def test_a_single_trial_or_parameter_has_no_parallel_coordinates():
    assert relations.parallel_coordinates(record(EIGHT[0])) is None
    one = [create_trial(value=v, params={"lr": v}, distributions={"lr": LR}) for v in (1e-3, 1e-2)]
    assert relations.parallel_coordinates(record(*one)) is None


def test_the_contour_is_of_the_two_most_important_numeric_parameters():
    picture = relations.contour(record(*EIGHT))
    assert picture.alt.startswith("val/loss over lr and dropout in 8 completed trials")
    assert picture.alt.endswith("the best has lr = 0.0001 and dropout = 0.")
    assert len(picture.marks) == 8


def test_the_contour_needs_two_numeric_parameters_and_enough_trials():
    assert relations.contour(record(*EIGHT[:7])) is None
    assert relations.contour(record(*EIGHT, shares={"lr": 1.0})) is None
    found = record(*EIGHT)
    assert relations.contour(replace(found, importances=Importances({}, "too few"))) is None


# Rule: points on one line span no area, so nothing is interpolated between them.
def test_points_on_a_line_have_no_triangles():
    assert relations._triangles([0.0, 0.5, 1.0], [0.0, 0.5, 1.0]) is None
    assert relations._triangles([0.0, 0.5, 1.0], [0.0, 0.5, 0.0]).shape == (1, 3)
    on_a_line = [trial(k / 10, 1e-3, k / 16) for k in range(8)]
    assert relations.contour(record(*on_a_line)) is not None
