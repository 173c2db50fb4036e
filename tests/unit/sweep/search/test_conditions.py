"""Conditions of parameters: which make sense, and what is said of those that do not."""

from typing import Any

import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from lightning_hpo.errors import UserError
from lightning_hpo.sweep.search.arguments import Assignment
from lightning_hpo.sweep.search.conditions import (
    NOTHING_CONFIGURED,
    Configured,
    among,
    checked,
    possible,
)

OPTIMIZER = Assignment(
    "optimizer", ("optimizer",), distribution=CategoricalDistribution(["sgd", "adam"])
)
MOMENTUM = Assignment(
    "+optimizer.momentum", ("optimizer", "momentum"), distribution=FloatDistribution(0.5, 0.9)
)
DEPTH = Assignment("model.depth", ("model", "depth"), distribution=IntDistribution(1, 5))
FIXED = Assignment("model.init", ("model", "init"), value="xavier")
ALL = (OPTIMIZER, MOMENTUM, DEPTH, FIXED)

CONFIGURED = Configured(
    value={"model": "cnn", "seed": 3}.get,
    has=lambda key: key in ("model", "seed", "model.filters"),
    could_have=lambda key: key in ("model", "seed", "model.filters", "model.neurons"),
    options=lambda key: ("cnn", "fc") if key == "model" else (),
)


def of(conditions: Any, configured: Configured = CONFIGURED) -> Any:
    return checked(conditions, ALL, configured)


# Rule: conditions are by the names that the study uses; one value stands for a list of one.
def test_a_condition_is_kept_by_the_names_of_the_study() -> None:
    assert of({"optimizer.momentum": {"optimizer": "sgd"}}) == {
        "+optimizer.momentum": {"optimizer": ["sgd"]}
    }
    assert of({"model.depth": {"optimizer.momentum": [0.5, 0.9], "model": ["cnn", "fc"]}}) == {
        "model.depth": {"+optimizer.momentum": [0.5, 0.9], "model": ["cnn", "fc"]}
    }
    assert of({"model.init": {"model": None}}) == {"model.init": {"model": [None]}}


# Rule: what is no longer searched, but there or there with another option, needs no condition.
def test_a_condition_of_what_is_not_searched_is_left_out() -> None:
    assert of({"model.filters": {"optimizer": "sgd"}, "model.neurons": {"model": "fc"}}) == {}


@pytest.mark.parametrize(
    ("conditions", "got"),
    [
        ("optimizer", "study.conditions=optimizer"),
        (["optimizer"], r"study.conditions=\['optimizer'\]"),
        ({"optimizer.momentum": "sgd"}, "optimizer.momentum: sgd"),
    ],
)
def test_what_is_no_mapping_is_refused_with_an_example(conditions: Any, got: str) -> None:
    with pytest.raises(UserError, match=f"must map a parameter .*, got {got}; for example"):
        of(conditions)


@pytest.mark.parametrize(
    ("conditions", "message"),
    [
        (
            {"optimizer.momentun": {"optimizer": "sgd"}},
            "study.conditions must name parameters, got 'optimizer.momentun', which is neither"
            " searched nor in the configuration. Did you mean 'optimizer.momentum'?",
        ),
        (
            {"optimizer.momentum": {"optimiser": "sgd"}},
            "the condition of optimizer.momentum names 'optimiser', which is unknown or has no"
            " value. Did you mean 'optimizer'?",
        ),
        (
            {"optimizer.momentum": {"optimizer": "sdg"}},
            "the condition of optimizer.momentum asks for optimizer=sdg, which cannot be; there are"
            " sgd, adam. Did you mean 'sgd'?",
        ),
        (
            {"optimizer.momentum": {"model": ["cnn", "cnm"]}},
            "the condition of optimizer.momentum asks for model=cnm, which cannot be; there are"
            " cnn, fc. Did you mean 'cnn'?",
        ),
        (
            {"optimizer.momentum": {"model.depth": [6, 7]}},
            "the condition of optimizer.momentum asks for model.depth=6, which cannot be; there are"
            " IntDistribution(high=5, log=False, low=1, step=1).",
        ),
    ],
)
def test_a_condition_that_cannot_hold_is_named(conditions: Any, message: str) -> None:
    with pytest.raises(UserError) as refused:
        of(conditions)
    assert str(refused.value) == message


def test_where_nothing_is_configured_only_what_is_searched_counts() -> None:
    kept = of({"optimizer.momentum": {"optimizer": "sgd"}}, NOTHING_CONFIGURED)
    assert kept == {"+optimizer.momentum": {"optimizer": ["sgd"]}}
    with pytest.raises(UserError, match="names 'model', which is unknown"):
        of({"optimizer.momentum": {"model": "cnn"}}, NOTHING_CONFIGURED)


# Rule: a value is meant whether it is typed or text; an option named none is meant by null too.
@pytest.mark.parametrize(
    ("value", "wanted", "expected"),
    [
        ("sgd", ["adam", "sgd"], True),
        ("sgd", ["adam"], False),
        (3, ["3"], True),
        ("True", [True], True),
        (True, ["true"], True),
        (None, ["none"], True),
        ("none", [None], True),
        (None, ["null"], True),
        (0, [None], False),
        (0.5, [0.5], True),
        ("x", [], False),
    ],
)
def test_typed_values_and_text_are_the_same(value: Any, wanted: list[Any], expected: bool) -> None:
    assert among(value, wanted) is expected


@pytest.mark.parametrize(
    ("distribution", "wanted", "expected"),
    [
        (CategoricalDistribution(["a", 1, None]), "1", True),
        (CategoricalDistribution(["a", 1, None]), "b", False),
        (CategoricalDistribution(["a", 1, None]), None, True),
        (FloatDistribution(0.0, 1.0), 1, True),
        (FloatDistribution(0.0, 1.0), 1.1, False),
        (FloatDistribution(0.0, 1.0), "0.5", False),
        (FloatDistribution(1e-6, 1.0, log=True), 0.0, False),
        (FloatDistribution(0.0, 1.0), float("nan"), False),
        (IntDistribution(2, 8, step=2), 4, True),
        (IntDistribution(2, 8, step=2), 5, False),
        (IntDistribution(0, 1), True, False),
    ],
)
def test_what_the_search_can_suggest(distribution: Any, wanted: Any, expected: bool) -> None:
    assert possible(distribution, wanted) is expected
