"""Which points a search begins with, stated with literal configurations."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import optuna
import pytest
from omegaconf import OmegaConf
from optuna.distributions import FloatDistribution
from optuna.trial import create_trial

from lightning_hpo.protocol.messages import Facts
from lightning_hpo.sweep.search.conditions import Configured
from lightning_hpo.sweep.search.space import SearchSpace, parse_space
from lightning_hpo.sweep.starting import configured_point, configured_values, enqueue

ARGUMENTS = (
    "optimizer=choice(sgd, adam)",
    "optimizer.lr=tag(log, interval(1e-4, 1e-1))",
    "optimizer.momentum=interval(0.85, 0.98)",
    "model.filters=range(16, 65, 8)",
)
CONDITIONS = {"optimizer.momentum": {"optimizer": "sgd"}}
SGD = {"optimizer": "sgd", "optimizer.lr": 0.01, "optimizer.momentum": 0.9, "model.filters": 32}
ADAM = {"optimizer": "adam", "optimizer.lr": 0.001, "optimizer.momentum": 0.9, "model.filters": 32}
FACTS = Facts("data", None, None, "cpu")
TPE = OmegaConf.create({"_target_": "optuna.samplers.TPESampler"})
GRID = OmegaConf.create({"_target_": "optuna.samplers.GridSampler"})


def configured(values: dict[str, Any]) -> Configured:
    config = OmegaConf.create(values, flags={"allow_objects": True})
    return Configured(
        # By the whole key, which holds a dot.
        value=lambda key: config[key],
        has=values.__contains__,
        could_have=values.__contains__,
        options=lambda key: ("sgd", "adam", "radam") if key == "optimizer" else (),
    )


def space(*arguments: str, values: dict[str, Any] = SGD) -> SearchSpace:
    told = [*ARGUMENTS, *arguments]
    return parse_space(told, conditions=CONDITIONS, configured=configured(values))


def point(*arguments: str, facts: Facts | None = None, **values: Any) -> dict[str, Any]:
    all_values = {**SGD, **values}
    its_space = space(*arguments, values=all_values)
    return configured_point(its_space, configured_values(its_space, configured(all_values), facts))


def test_the_configured_values_are_the_point() -> None:
    assert point() == SGD


# Rule: a value outside of its range cannot be tried, so that parameter alone is suggested.
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("model.filters", 30),
        ("model.filters", 128),
        ("model.filters", "32"),
        ("model.filters", None),
        ("optimizer.lr", 0.5),
        # A logarithmic range has no word for it.
        ("optimizer.lr", 0.0),
        ("optimizer.lr", float("nan")),
        ("optimizer.lr", "${unknown}"),
    ],
)
def test_what_is_not_in_its_range_is_left_out(name: str, value: Any) -> None:
    assert point(**{name: value}) == {n: v for n, v in SGD.items() if n != name}


def test_a_key_that_the_configuration_does_not_have_is_left_out() -> None:
    arguments = ["+trainer.gradient_clip_val=null,1.0"]
    assert point(*arguments) == SGD
    clipped = {"trainer.gradient_clip_val": 1.0}
    assert point(*arguments, **clipped) == {**SGD, "+trainer.gradient_clip_val": 1.0}
    unclipped = {"trainer.gradient_clip_val": None}
    assert point(*arguments, **unclipped) == {**SGD, "+trainer.gradient_clip_val": None}


# Rule: a learning rate that was configured for another optimizer says nothing of this one.
def test_keys_of_an_option_that_is_not_searched_are_left_out() -> None:
    assert point(optimizer="radam") == {"model.filters": 32}


def test_what_another_value_rules_out_is_left_out() -> None:
    its_space = space(values=ADAM)
    found = configured_point(its_space, configured_values(its_space, configured(ADAM), None))
    assert found == {"optimizer": "adam", "optimizer.lr": 0.001, "model.filters": 32}


def test_options_that_are_lists_are_known_by_their_text() -> None:
    told = "model.layers=choice([32,64],[128])"
    assert point(told, **{"model.layers": [32, 64]}) == {**SGD, "model.layers": "[32,64]"}


# Rule: for what is not configured the default of the constructor counts; what is configured wins.
def test_the_default_of_a_constructor_is_the_value_of_what_is_not_configured() -> None:
    facts = replace(FACTS, defaults={"model.width": 64, "model.filters": 16, "model.depth": 9})
    arguments = ("+model.width=range(16, 129, 16)", "+model.depth=range(1, 5)")
    assert point(*arguments, facts=facts) == {**SGD, "+model.width": 64}
    assert point(*arguments) == SGD


# Rule: of several options that are searched one alone told its defaults.
def test_where_options_are_searched_no_default_counts() -> None:
    facts = replace(FACTS, defaults={"optimizer.eps": 0.5})
    assert point("+optimizer.eps=interval(0, 1)", facts=facts) == SGD


def queued(
    *, sampler: Any = TPE, study: optuna.Study | None = None, **settings: Any
) -> list[dict[str, Any]]:
    """What ``enqueue`` queues of a search with these settings; marked are configured values."""
    told = {"configured_first": True, "start_points": [], "replay": None, **settings}
    found: list[dict[str, Any]] = []

    def keep(points: list[dict[str, Any]], marks: dict[str, Any] | None = None) -> None:
        assert all(marks == {"configured": [*point]} for point in points) or marks is None
        found.extend(points)

    search: Any = SimpleNamespace(space=space(), study=study or optuna.create_study(), enqueue=keep)
    values = configured_values(search.space, configured(SGD), None)
    enqueue(search, SimpleNamespace(**told), values, sampler=sampler)  # type: ignore[arg-type]
    return found


def test_a_new_study_begins_with_the_configured_values() -> None:
    assert queued() == [SGD]
    assert queued(configured_first=False) == []


def test_points_that_are_given_take_their_place() -> None:
    assert queued(start_points=[{"optimizer.lr": 0.05}]) == [{"optimizer.lr": 0.05}]


# Rule: a grid has its own points, and a replay those of the study that it replays.
def test_a_sampler_that_knows_its_points_is_left_alone() -> None:
    assert queued(sampler=GRID) == []
    assert queued(replay="studies/other") == []


# Rule: a study that goes on, perhaps of an earlier version, gets no other first point.
def test_a_study_that_has_trials_goes_on_with_suggestions() -> None:
    study = optuna.create_study()
    told = {"params": {"x": 0.5}, "distributions": {"x": FloatDistribution(0, 1)}}
    study.add_trial(create_trial(value=1.0, **told))  # type: ignore[arg-type]
    assert queued(study=study) == []
    assert queued(study=study, start_points=[{"optimizer.lr": 0.05}]) == [{"optimizer.lr": 0.05}]
