"""Overrides become values and ranges: the last wins, types stay, mistakes have their own words."""

from collections.abc import Iterator

import pytest
from hydra import initialize_config_dir
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from lightning_hpo.entry import config_dir
from lightning_hpo.errors import UserError
from lightning_hpo.sweep.search.arguments import Assignment, read, read_params


def only(*arguments: str) -> Assignment:
    (found,) = read(arguments)
    return found


def choices(argument: str) -> list[object]:
    distribution = only(argument).distribution
    assert isinstance(distribution, CategoricalDistribution)
    return list(distribution.choices)


@pytest.mark.parametrize(
    ("argument", "distribution"),
    [
        ("x=interval(0, 0.5)", FloatDistribution(0.0, 0.5)),
        ("x=interval(0.3, 0.3)", FloatDistribution(0.3, 0.3)),
        ("x=int(interval(1, 5))", IntDistribution(1, 5)),
        ("x=tag(log, interval(1e-12, 1e-10))", FloatDistribution(1e-12, 1e-10, log=True)),
        ("x=range(1, 10, 4)", IntDistribution(1, 9, step=4)),
        ("x=range(10, 1, -4)", IntDistribution(2, 10, step=4)),
        ("x=range(0, 1, 0.25)", FloatDistribution(0.0, 0.75, step=0.25)),
        ("x=tag(log, range(1, 1001))", IntDistribution(1, 1000, log=True)),
        # A shuffled range holds the same values, in the same order at each start.
        ("x=shuffle(range(1, 4))", IntDistribution(1, 3)),
        ("x=choice(a, a, b)", CategoricalDistribution(["a", "b"])),
        ("x=shuffle(choice(c, a, b))", CategoricalDistribution(["c", "a", "b"])),
        ("x=sort(3, 1, 2)", CategoricalDistribution([1, 2, 3])),
    ],
)
def test_ranges_and_choices_become_distributions(argument, distribution):
    assert only(argument).distribution == distribution


# Rule: an option has the type that its spelling has in Hydra; quotes make it text.
@pytest.mark.parametrize(
    ("argument", "options"),
    [
        ("x=null,1,2.5", [None, 1, 2.5]),
        ("x=choice(true, false)", [True, False]),
        ("x=choice('true', 'no')", ["true", "no"]),
        ("x='true','no'", ["true", "no"]),
        ("x=choice('007', '1e3', 1e3)", ["007", "1e3", 1000.0]),
        ("x=choice('null', '')", ["null", ""]),
        ("x=choice('a', 'c,d', 'e=f', 'a:b')", ["a", "c,d", "e=f", "a:b"]),
        (r"x=choice('it\'s', 'g\"h', 'x#y', 50%)", ["it's", r"g\"h", "x#y", "50%"]),
        ("x=a b,c d", ["a b", "c d"]),
        (r"x=choice(a\,b, c)", ["a,b", "c"]),
        ("x=choice([1,2], [3], [])", ["[1,2]", "[3]", "[]"]),
        ("x=choice({a:1,b:x}, {a:2})", ["{a:1,b:x}", "{a:2}"]),
    ],
)
def test_options_keep_their_types(argument, options):
    found = choices(argument)
    assert found == options
    assert list(map(type, found)) == list(map(type, options))


# Rule: the study knows lists by their text; the job gets the list, and text that looks like one
# stays text.
def test_an_option_that_is_a_list_differs_from_its_text():
    lists, text = only("x=choice([1,2], ['true'], {a: 1})"), only("x=choice('[1,2]', '{a:1}')")
    assert [lists.override(c) for c in lists.distribution.choices] == [
        "x=[1,2]",
        "x=['true']",
        "x={a:1}",
    ]
    assert [text.override(c) for c in text.distribution.choices] == ["x='[1,2]'", "x='{a:1}'"]


@pytest.mark.parametrize("argument", ["x=choice(1, true)", "x=1,1.0", "x=choice([1], '[1]')"])
def test_options_that_only_their_type_tells_apart_are_refused(argument):
    with pytest.raises(UserError, match=r"must differ by more than their type, got x="):
        read([argument])


@pytest.mark.parametrize(
    ("arguments", "left"),
    [
        (["m.v=5", "m.v=choice(1,2)"], ["m.v=1"]),
        (["m.v=choice(1,2)", "m.v=5"], ["m.v=5"]),
        (["m.v=choice(1,2)", "m.v=choice(3,4)"], ["m.v=3"]),
        (["m.v=5", "++m.v=choice(1,2)"], ["++m.v=1"]),
        (["++m.v=choice(1,2)", "m.v=5"], ["++m.v=5"]),
        # The key is still to be added when its value changes.
        (["+m.extra=choice(1,2)", "m.extra=5"], ["+m.extra=5"]),
        (["+m.extra=5", "m.extra=choice(1,2)"], ["+m.extra=1"]),
        (["m.v=choice(1,2)", "~m.v"], ["~m.v"]),
        (["~m.v", "+m.v=choice(1,2)"], ["~m.v", "+m.v=1"]),
        (["c.stop.patience=choice(1,2)", "~c"], ["~c"]),
        (["m.layers[0]=choice(1,2)", "m.layers.0=5"], ["m.layers.0=5"]),
        # What is above a key replaces it, what is below comes later.
        (["m.layers.a=choice(1,2)", "m.layers=[1]"], ["m.layers=[1]"]),
        (["m.layers.a=choice(1,2)", "m={layers: {a: 3}}"], ["m={layers:{a:3}}"]),
        (["m.layers.a=choice(1,2)", "m={layers: {b: 3}}"], ["m.layers.a=1", "m={layers:{b:3}}"]),
        (["m={layers: {a: 3}}", "m.layers.a=choice(1,2)"], ["m={layers:{a:3}}", "m.layers.a=1"]),
        (["m.v=choice(1,2)", "m.v={a: 1}"], ["m.v={a:1}"]),
        (["m.v={a: 1}", "m.v={b: 2}"], ["m.v={a:1}", "m.v={b:2}"]),
        # A group's option is composed first: keys below it still count.
        (["optimizer.lr=choice(1,2)", "optimizer=sgd"], ["optimizer.lr=1", "optimizer=sgd"]),
        (["optimizer=choice(a,b)", "optimizer=sgd"], ["optimizer=sgd"]),
        (["o@m.v=choice(a,b)", "o@m.w=c"], ["o@m.v=a", "o@m.w=c"]),
    ],
)
def test_what_is_said_last_wins(arguments, left):
    def first(a: Assignment) -> object:
        return a.value if a.distribution is None else a.distribution.to_external_repr(0)

    assert [a.override(first(a)) for a in read(arguments)] == left


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("x=interval(0.5, 0.1)", r"low <= high, got x=interval\(0\.5, 0\.1\)"),
        ("x=tag(log, interval(0.0, 0.1))", "on a log scale must have low > 0, got x=tag"),
        ("x=interval(1, inf)", "must have finite ends"),
        ("x=range(64, 16)", "low < high, since its end is left out, got x=range"),
        ("x=range(3, 3)", "low < high"),
        ("x=range(1, 9, -2)", "low < high|must hold a value"),
        ("x=range(1, 9, 0)", "a step other than 0"),
        ("x=tag(log, range(1, 9, 2))", "on a log scale must be of integers, with step 1"),
        ("x=interval(1, a)", r"grammar.*got x=interval\(1, a\): .*str is incompatible"),
        ("x=intervall(1, 2)", "Unknown function 'intervall'"),
        ("x=choice(1, 2", r"got x=choice\(1, 2: "),
        ("x=choice(1, choice(2, 3))", "must be values, got x=choice"),
        ("x=[choice(1, 2), 3]", "must be values, got x="),
        ("x=choice()", "empty choice is not legal"),
        ("x=choice(null, 1)", "Write a choice with null as a list: key=null, 1"),
    ],
)
def test_a_mistake_is_told_in_its_own_words(argument, message):
    with pytest.raises(UserError, match=message) as caught:
        read([argument])
    assert "\n" not in str(caught.value)


# Rule: params under hydra.sweeper: text is read as typed, other values are what YAML says.
def test_params_are_text_or_yamls_own_values():
    params = {"a": "choice(1,2)", "b": 7, "c": None, "d": "1,2", "e": True, "f": ["x", "1"]}
    arguments = read_params(params, params, [])
    assert arguments == ["a=choice(1,2)", "b=7", "c=null", "d=1,2", "e=True", "f=[x,'1']"]


def test_nested_params_are_refused_with_what_to_write():
    params = {"optimizer": {"lr": "choice(1,2)"}}
    with pytest.raises(UserError, match=r"full names.*; write 'optimizer\.lr: \.\.\.'"):
        read_params(params, params, [])


# Rule: a value that refers to another key follows it in each job. In ranges it is resolved, since
# their ends must be known, and a choice refers only to what the search changes.
@pytest.mark.parametrize(
    ("resolved", "raw", "typed", "argument"),
    [
        ("10", "${model.width}", [], "x=${model.width}"),
        ("range(1, 10)", "range(1, ${model.width})", [], "x=range(1, 10)"),
        ("choice(10, 3)", "choice(${model.width}, 3)", [], "x=choice(10, 3)"),
        (
            "choice(10, 3)",
            "choice(${model.width}, 3)",
            ["model.width=choice(4, 8)"],
            "x=choice(${model.width}, 3)",
        ),
    ],
)
def test_params_follow_what_they_refer_to(resolved, raw, typed, argument):
    assert read_params({"x": resolved}, {"x": raw}, typed) == [argument]


def test_a_range_up_to_a_searched_value_is_refused():
    with pytest.raises(UserError, match="ends of a range must not be searched"):
        read_params({"x": "range(1, 10)"}, {"x": "range(1, ${w})"}, ["w=choice(4, 8)"])


@pytest.fixture
def loader() -> Iterator[ConfigLoader]:
    with initialize_config_dir(str(config_dir())):
        yield GlobalHydra.instance().config_loader()


@pytest.mark.parametrize(
    ("argument", "options"),
    [
        ("optimizer=glob(*)", ("adam", "adamw", "radam", "sgd")),
        ("optimizer=glob([a*,s*],exclude=adamw)", ("adam", "sgd")),
    ],
)
def test_a_glob_is_a_choice_of_the_options_that_it_matches(loader, argument, options):
    (found,) = read([argument], config_loader=loader)
    assert found.distribution == CategoricalDistribution(options)


def test_what_only_looks_like_a_glob_is_text(loader):
    (found,) = read(["note='glob(*)'"], config_loader=loader)
    assert (found.distribution, found.value) == (None, "glob(*)")


def test_a_glob_that_matches_nothing_is_refused(loader):
    with pytest.raises(UserError, match=r"got optimizer=glob\(x\*\); there are adam, adamw, radam"):
        read(["optimizer=glob(x*)"], config_loader=loader)
