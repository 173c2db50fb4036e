"""Numbers and durations as a person reads them."""

import pytest
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from lightning_hpo.results import text
from lightning_hpo.results.text import ordinal, roughly


@pytest.mark.parametrize(
    ("mean", "std", "expected"),
    [
        (0.9012, 0.005, "0.9012 ± 0.0050"),
        (123.4, 17.0, "123 ± 17"),
        (0.5, 0.0, "0.5000 ± 0.0000"),
        (0.5, None, "0.5"),
    ],
)
def test_mean_and_deviation_share_their_decimals(
    mean: float, std: float | None, expected: str
) -> None:
    assert text.plus_minus(mean, std) == expected


@pytest.mark.parametrize(
    ("seconds", "text"), [(45, "45 s"), (89.6, "90 s"), (720, "12 min"), (12600, "3.5 h")]
)
def test_durations_are_for_people(seconds, text):
    assert roughly(seconds) == text


@pytest.mark.parametrize(
    ("value", "words"),
    [(None, "–"), (0.123456, "0.1235"), (1e-7, "1e-07"), (12345678, "12345678"), ("sgd", "sgd")],
)
def test_a_float_has_four_digits_and_anything_else_stays(value: object, words: str) -> None:
    assert text.number(value) == words


# Rule: what is not quite all or nothing does not become it by rounding.
@pytest.mark.parametrize(
    ("fraction", "words"),
    [
        (0.0, "0 %"),
        (0.009, "under 1 %"),
        (0.01, "1 %"),
        (0.355, "36 %"),
        (0.99, "99 %"),
        (0.991, "over 99 %"),
        (1.0, "100 %"),
    ],
)
def test_a_fraction_in_per_cent(fraction: float, words: str) -> None:
    assert text.percent(fraction) == words


# Rule: null is an option like others, as it is typed; what there is not is a dash.
def test_a_parameter_may_be_null() -> None:
    assert [text.parameter(value) for value in (None, 0.123456, "a", 2)] == [
        "null",
        "0.1235",
        "a",
        "2",
    ]
    assert text.number(None) == "–"
    assert text.value_range(CategoricalDistribution(["balanced", None])) == "balanced, null"


def test_one_is_counted_without_an_s() -> None:
    assert [text.count(n, "trial") for n in (0, 1, 2)] == ["0 trials", "1 trial", "2 trials"]


@pytest.mark.parametrize(
    ("items", "words"),
    [([], ""), (["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")],
)
def test_a_listing_ends_with_and(items: list[str], words: str) -> None:
    assert text.listing(items) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, "–"),
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (12.4, "12 s"),
        (60, "1 min 0 s"),
        (3599.4, "59 min 59 s"),
        (3600, "1 h 0 min"),
        (90061, "25 h 1 min"),
    ],
)
def test_a_duration_in_the_units_that_fit(seconds: float | None, words: str) -> None:
    assert text.duration(seconds) == words


@pytest.mark.parametrize(
    ("distribution", "values", "scale"),
    [
        (FloatDistribution(1e-4, 0.1, log=True), "0.0001 to 0.1", "numbers, logarithmic"),
        (FloatDistribution(0.0, 1.0, step=0.25), "0 to 1, step 0.25", "numbers"),
        (IntDistribution(1, 5), "1 to 5", "whole numbers"),
        (IntDistribution(16, 64, step=8), "16 to 64, step 8", "whole numbers"),
        (IntDistribution(1, 64, log=True), "1 to 64", "whole numbers, logarithmic"),
        (CategoricalDistribution(["sgd", None, 0.5]), "sgd, null, 0.5", "choice"),
    ],
)
def test_a_range_and_its_scale(distribution: BaseDistribution, values: str, scale: str) -> None:
    assert (text.value_range(distribution), text.scale(distribution)) == (values, scale)


@pytest.mark.parametrize(
    ("number", "words"), [(1, "first"), (5, "fifth"), (6, "6th"), (11, "11th"), (22, "22nd")]
)
def test_how_many_eth_it_is(number: int, words: str) -> None:
    assert ordinal(number) == words
