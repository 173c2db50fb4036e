"""How much each parameter decides, and why that may be unknown."""

import random

import pytest
from literal_studies import study_of

from lightning_hpo.results.importances import rate_parameters


# The value is x's alone; z is drawn only in every other trial.
def test_importances_rank_what_decides_and_rate_conditional_parameters() -> None:
    rng = random.Random(0)
    points = [{"x": rng.random(), "y": rng.random()} for _ in range(40)]
    for point in points[::2]:
        point["z"] = rng.random()
    importances = rate_parameters(study_of(points, [point["x"] for point in points]))
    assert next(iter(importances.shares)) == "x"
    assert set(importances.shares) == {"x", "y", "z"}
    assert sum(importances.shares.values()) == pytest.approx(1.0)
    assert importances.top == pytest.approx(5 / 40)


@pytest.mark.parametrize(
    ("n_trials", "names", "value", "why_not"),
    [
        (7, ("x", "y"), None, "need 8 completed trials, this study has 7"),
        (9, ("x",), None, "single parameter"),
        (9, ("x", "y"), 0.5, "No parameter sets the best trials apart"),
    ],
)
def test_importances_say_why_there_are_none(
    n_trials: int, names: tuple[str, ...], value: float | None, why_not: str
) -> None:
    rng = random.Random(0)
    points = [{name: rng.random() for name in names} for _ in range(n_trials)]
    values = [point["x"] if value is None else value for point in points]
    importances = rate_parameters(study_of(points, values))
    assert not importances.shares
    assert why_not in importances.why_not


def test_infinite_values_do_not_reach_the_importances() -> None:
    rng = random.Random(0)
    points = [{"x": rng.random(), "y": rng.random()} for _ in range(9)]
    values = [point["x"] for point in points[:-1]] + [float("inf")]
    assert rate_parameters(study_of(points, values)).completed == 8
