"""The search space: conditions, order, overrides, and the errors that a user sees."""

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from lightning_hpo.errors import UserError
from lightning_hpo.sweep.search.conditions import Configured
from lightning_hpo.sweep.search.space import SearchSpace, parse_space

ARGUMENTS = [
    "optimizer.momentum=interval(0.85, 0.98)",
    "optimizer=choice(sgd, adam)",
    "model.filters=range(16, 65, 8)",
    "optimizer.lr=tag(log, interval(1e-4, 1e-1))",
    "+experiment=cnn",
]
GROUPS = {"optimizer": ("sgd", "adam", "radam"), "scheduler": ("none", "cosine")}
CONDITIONS = {"optimizer.momentum": {"optimizer": "sgd"}}


def space(arguments=ARGUMENTS, conditions=CONDITIONS, **configured) -> SearchSpace:
    """``configured``: keys that are neither typed nor searched, with their values."""
    known = Configured(
        value=configured.get,
        has=configured.__contains__,
        could_have=configured.__contains__,
        options=lambda key: GROUPS.get(key, ()),
    )
    return parse_space(arguments, conditions=conditions, configured=known)


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
    assert space(only_momentum, optimizer="sgd").holds("optimizer.momentum", {})


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
    assert parsed.order == ["a", "b", "c"]


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


def test_a_condition_on_an_unknown_parent_suggests_the_right_one():
    with pytest.raises(
        UserError, match=r"'optimiser', which is unknown.* Did you mean 'optimizer'"
    ):
        space(conditions={"optimizer.momentum": {"optimiser": "sgd"}})


def test_conditions_in_a_circle_are_refused():
    parsed = space(["a=choice(1, 2)", "b=choice(1, 2)"], {"a": {"b": 1}, "b": {"a": 1}})
    with pytest.raises(UserError, match="circle"):
        next(parsed.previews())


def test_a_parameter_cannot_be_fixed_and_searched_by_an_extension():
    parsed = parse_space(
        ["x=1"],
        conditions={},
        extend=lambda trial: trial.suggest_int("x", 0, 3),
    )
    with pytest.raises(UserError, match=r"either fixed or searched, got both for \['x'\]"):
        parsed.suggest(optuna.create_study().ask())


def test_a_start_point_must_be_searched_and_in_range():
    point = {"optimizer": "sgd", "model.filters": 24, "optimizer.lr": 0.01}
    assert space().start_point(point) == point
    with pytest.raises(UserError, match=r"got model.filter. Did you mean 'model.filters'"):
        space().start_point({"model.filter": 24})
    for name, value in (("optimizer.lr", 1.0), ("model.filters", 25), ("optimizer", "radam")):
        with pytest.raises(UserError, match=f"must lie in the ranges, got {name}={value}"):
            space().start_point({name: value})


# Rule: jobs get what the study suggested, with its type; fixed values stand where they were typed.
def test_overrides_keep_types_and_the_order_of_typing():
    parsed = space(
        ["a.text=choice('true', no)", "a.map={x: 1}", "a.map.x=choice(2, 3)", "a.n='7'"], {}
    )
    assert parsed.overrides({"a.text": "true", "a.map.x": 3}) == (
        "a.text='true'",
        "a.map={x:1}",
        "a.map.x=3",
        "a.n='7'",
    )
    assert parsed.fixed_params == {"a.map": "{x:1}", "a.n": "'7'"}


@pytest.mark.parametrize(
    ("arguments", "configured"),
    [
        (["model.w=interval(0, 1)"], {"model.parent": None}),
        (["model.w=interval(0, 1)", "model.parent=null"], {}),
        (["model.w=interval(0, 1)", "model.parent=null,1"], {}),
    ],
)
def test_a_parent_may_be_null(arguments, configured):
    parsed = space(arguments, {"model.w": {"model.parent": None}}, **configured)
    assert parsed.holds("model.w", {"model.parent": None})
    assert not parsed.holds("model.w", {"model.parent": 1})


def test_a_condition_knows_an_added_parameter_by_its_key():
    parsed = space(
        ["+model.kind=choice(a, b)", "++model.w=interval(0, 1)"], {"model.w": {"model.kind": "a"}}
    )
    assert parsed.existing({"+model.kind": "b", "++model.w": 0.5}) == {"+model.kind": "b"}
    assert parsed.existing({"+model.kind": "a", "++model.w": 0.5}).keys() == {
        "+model.kind",
        "++model.w",
    }


@pytest.mark.parametrize(
    ("conditions", "message"),
    [
        ({"optimizer.momentun": {"optimizer": "sgd"}}, r"'optimizer.momentun', which is neither"),
        ({"optimizer.momentum": {"optimizer": "sdg"}}, r"optimizer=sdg.*Did you mean 'sgd'"),
        ({"optimizer.lr": {"model.filters": 17}}, "asks for model.filters=17, which cannot be"),
        ({"optimizer.lr": {"model.filters": "many"}}, "asks for model.filters=many"),
        ({"optimizer.lr": {"scheduler": "cosin"}}, r"scheduler=cosin.*Did you mean 'cosine'"),
        ({"optimizer.lr": "sgd"}, r"must map a parameter to .*got optimizer.lr: sgd"),
        (["optimizer"], "must map a parameter to"),
    ],
)
def test_a_condition_that_cannot_hold_is_refused(conditions, message):
    with pytest.raises(UserError, match=message):
        space(conditions=conditions, scheduler="none")


# Rule: an experiment's condition may outlive a narrower choice, or the search of its parameter.
def test_a_condition_of_what_is_no_longer_searched_is_no_mistake():
    narrowed = [*ARGUMENTS, "optimizer=choice(adam, radam)"]
    assert "optimizer.momentum" not in space(narrowed).existing(dict.fromkeys(space().order, 1))
    taken_out = space(ARGUMENTS[1:], **{"optimizer.momentum": 0.9})
    assert taken_out.conditions == {}


# Rule: every option is in a preview, also of what only another one's value brings about; of
# numbers one is enough.
def test_previews_choose_every_option_and_reach_what_has_a_condition():
    parsed = space(
        [
            "model=choice(fc, cnn)",
            "model.act=choice(relu, elu, '${act}')",
            "model.depth=choice(1, 2, 3)",
            "model.second=range(8, 17, 8)",
            "model.kernel=choice(small, large)",
        ],
        {"model.second": {"model.depth": [2, 3]}, "model.kernel": {"model": "cnn"}},
    )
    chosen = {(name, value) for params in parsed.previews() for name, value in params.items()}
    assert chosen == {
        *(("model", "fc"), ("model", "cnn")),
        *(("model.act", "relu"), ("model.act", "elu"), ("model.act", "${act}")),
        *(("model.depth", 1), ("model.depth", 2)),
        ("model.second", 8),
        *(("model.kernel", "small"), ("model.kernel", "large")),
    }
    assert len(list(parsed.previews())) <= 5


# Rule: a start point names keys and holds values as YAML has them; the study knows lists by their
# text, and an added key by its prefix.
def test_a_start_point_is_known_to_the_study():
    parsed = space(["+a.layers=choice([1, 2], [3])", "a.kind=null,b"], {})
    found = parsed.start_point({"a.layers": [1, 2], "a.kind": None})
    assert found == {"+a.layers": "[1,2]", "a.kind": None}
    with pytest.raises(UserError, match=r"ranges, got model\.filters=many"):
        space().start_point({"model.filters": "many"})
