"""Ranges written in Python are those of Optuna that they name, by way of the command line."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from lightning_hpo import UserError, choice, integers, interval, log_interval
from lightning_hpo.scripting.ranges import from_distribution
from lightning_hpo.sweep.search.arguments import read


def searched(text: object) -> BaseDistribution | None:
    return read([f"x={text}"])[0].distribution


def test_ranges_are_those_of_optuna_that_they_name():
    assert searched(interval(0, 1)) == FloatDistribution(0, 1)
    assert searched(log_interval(1e-4, 1e-1)) == FloatDistribution(1e-4, 1e-1, log=True)
    assert searched(integers(16, 64)) == IntDistribution(16, 64)
    assert searched(integers(2, 9, step=3)) == IntDistribution(2, 8, step=3)
    assert searched(integers(1, 100, log=True)) == IntDistribution(1, 100, log=True)
    options = ("relu", "a b", None, True, 2, 1.5)
    assert searched(choice(*options)) == CategoricalDistribution(options)
    assert searched(choice("sgd", "adam")) == CategoricalDistribution(("sgd", "adam"))


FLOATS = st.floats(-1e6, 1e6, allow_subnormal=False)
FINITE = st.builds(lambda a, b: FloatDistribution(min(a, b), max(a, b)), FLOATS, FLOATS)
LOG = st.builds(lambda a, b: FloatDistribution(a, a + b, log=True), *[st.floats(1e-8, 1e3)] * 2)
STEPS = st.builds(
    lambda low, n, step: FloatDistribution(low / 8, (low + n * step) / 8, step=step / 8),
    *(st.integers(-99, 99), st.integers(1, 50), st.integers(1, 40)),
)
INTS = st.builds(
    lambda low, n, step: IntDistribution(low, low + n * step, step=step),
    *(st.integers(-99, 99), st.integers(0, 50), st.integers(1, 9)),
)


# Rule: a distribution of Optuna's is searched as it is.
@settings(max_examples=200, deadline=None)
@given(FINITE | LOG | STEPS | INTS)
def test_any_distribution_comes_back(distribution):
    assert searched(from_distribution(distribution)) == distribution


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: integers(0, 0.5), r"integers\(\) takes integers, got high=0\.5; use interval"),
        (lambda: integers(1, 9, step=2, log=True), "have step=1, got step=2"),
        (lambda: interval("0", 1), "the ends of a range must be numbers, got '0'"),
        (lambda: choice(), r"takes the options to choose from, got choice\(\)"),
        (lambda: choice(None), r"got choice\(None\)"),
        (lambda: choice(object), "a value must be a text"),
    ],
)
def test_what_is_no_range_is_refused(make, message):
    with pytest.raises(UserError, match=message):
        make()
