"""The search space: conditions, order, overrides, and the errors that a user sees."""

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from lightning_hpo.errors import UserError
from lightning_hpo.sweep.space import SearchSpace, parse_space

ARGUMENTS = [
    "optimizer.momentum=interval(0.85, 0.98)",
    "optimizer=choice(sgd, adam)",
    "model.filters=range(16, 65, 8)",
    "optimizer.lr=tag(log, interval(1e-4, 1e-1))",
    "+experiment=cnn",
]
CONDITIONS = {"optimizer.momentum": {"optimizer": "sgd"}}


def space(arguments=ARGUMENTS, conditions=CONDITIONS, configured=lambda name: None) -> SearchSpace:
    return parse_space(arguments, conditions=conditions, configured=configured)


def fixed_trial(**params) -> optuna.Trial:
    study = optuna.create_study()
    study.enqueue_trial({name.replace("__", "."): value for name, value in params.items()})
    return study.ask()


def test_ranges_choices_and_fixed_values_are_told_apart():
    parsed = space()
    assert parsed.distributions == {
        "optimizer.momentum": FloatDistribution(0.85, 0.98),
        "optimizer": CategoricalDistribution(["sgd", "adam"]),
        "model.filters": IntDistribution(16, 64, step=8),
        "optimizer.lr": FloatDistribution(1e-4, 1e-1, log=True),
    }
    assert parsed.fixed_params == {"+experiment": "cnn"}


def test_a_fixed_value_takes_a_parameter_out_of_the_space():
    parsed = space([*ARGUMENTS, "model.filters=32"])
    assert "model.filters" not in parsed.distributions
    assert parsed.fixed_params["model.filters"] == "32"


@pytest.mark.parametrize(("optimizer", "searched"), [("sgd", True), ("adam", False)])
def test_momentum_is_suggested_only_where_sgd_is_chosen(optimizer, searched):
    trial = fixed_trial(optimizer=optimizer)
    space().suggest(trial)
    assert ("optimizer.momentum" in trial.params) is searched
    assert {"optimizer", "model.filters", "optimizer.lr"} <= trial.params.keys()


def test_a_condition_can_look_at_a_fixed_and_at_a_configured_parent():
    only_momentum = ["optimizer.momentum=interval(0.85, 0.98)"]
    assert space([*only_momentum, "optimizer=sgd"]).holds("optimizer.momentum", {})
    assert not space([*only_momentum, "optimizer=adam"]).holds("optimizer.momentum", {})
    configured = {"optimizer": "sgd"}.get
    assert space(only_momentum, configured=configured).holds("optimizer.momentum", {})


def test_a_condition_holds_for_any_value_of_a_list_and_compares_text_with_numbers():
    arguments = ["model.width=interval(1, 9)", "model.depth=choice(1, 2, 3)"]
    parsed = space(arguments, {"model.width": {"model.depth": [2, 3]}})
    assert parsed.holds("model.width", {"model.depth": 2})
    assert parsed.holds("model.width", {"model.depth": "3"})
    assert not parsed.holds("model.width", {"model.depth": 1})


def test_a_parameter_whose_parent_does_not_exist_does_not_exist_either():
    arguments = ["a=choice(x, y)", "b=choice(p, q)", "c=interval(0, 1)"]
    parsed = space(arguments, {"b": {"a": "x"}, "c": {"b": "p"}})
    assert not parsed.holds("c", {"a": "y"})
    assert parsed.order() == ["a", "b", "c"]


def test_a_fixed_value_with_a_condition_is_left_out_where_the_condition_fails():
    parsed = space(["optimizer=choice(sgd, adam)", "optimizer.momentum=0.9"])
    assert parsed.overrides({"optimizer": "sgd"}) == ("optimizer=sgd", "optimizer.momentum=0.9")
    assert parsed.overrides({"optimizer": "adam"}) == ("optimizer=adam",)


def test_groups_come_before_the_keys_that_they_would_replace():
    overrides = space().overrides({"optimizer.lr": 0.1, "optimizer": "sgd"})
    assert overrides == ("optimizer=sgd", "+experiment=cnn", "optimizer.lr=0.1")


def test_deletions_are_kept_as_they_stand():
    assert space([*ARGUMENTS, "~callbacks.early_stopping"]).overrides({})[-1] == (
        "~callbacks.early_stopping"
    )


def test_previews_choose_every_option_of_a_group_once():
    assert list(space().previews()) == [
        {
            "optimizer": "sgd",
            "model.filters": 16,
            "optimizer.lr": 1e-4,
            "optimizer.momentum": 0.85,
        },
        {"optimizer": "adam", "model.filters": 16, "optimizer.lr": 1e-4},
    ]


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("model.dropout=interval(0.5, 0.1)", "low <= high.*model.dropout=interval"),
        ("model.filters=range(64, 16)", "low <= high.*model.filters=range"),
        (
            "optimizer.lr=tag(log, interval(0.0, 0.1))",
            r"on a log scale also low > 0, got optimizer.lr=tag",
        ),
    ],
)
def test_an_impossible_range_names_the_parameter(argument, message):
    with pytest.raises(UserError, match=message):
        space([argument], {})


def test_a_condition_on_an_unknown_parent_suggests_the_right_one():
    with pytest.raises(UserError, match=r"'optimiser', which is unknown. Did you mean 'optimizer'"):
        space(conditions={"optimizer.momentum": {"optimiser": "sgd"}})


def test_conditions_in_a_circle_are_refused():
    arguments = ["a=choice(1, 2)", "b=choice(1, 2)"]
    with pytest.raises(UserError, match="circle"):
        space(arguments, {"a": {"b": 1}, "b": {"a": 1}}).order()


def test_a_parameter_cannot_be_fixed_and_searched_by_an_extension():
    parsed = parse_space(
        ["x=1"],
        conditions={},
        configured=lambda name: None,
        extend=lambda trial: trial.suggest_int("x", 0, 3),
    )
    with pytest.raises(UserError, match=r"either fixed or searched, got both for \['x'\]"):
        parsed.suggest(optuna.create_study().ask())


def test_a_start_point_must_be_searched_and_in_range():
    point = {"optimizer": "sgd", "model.filters": 24, "optimizer.lr": 0.01}
    space().check_point(point)
    with pytest.raises(UserError, match=r"got model.filter. Did you mean 'model.filters'"):
        space().check_point({"model.filter": 24})
    for name, value in (("optimizer.lr", 1.0), ("model.filters", 25), ("optimizer", "radam")):
        with pytest.raises(UserError, match=f"must lie in the ranges, got {name}={value}"):
            space().check_point({name: value})
