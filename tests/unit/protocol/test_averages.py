"""Every float has a mean, a spread and a place in JSON."""

import json
import math

import pytest

from lightning_hpo.protocol.averages import as_json, deviation, mean


def test_finite_values_have_the_plain_mean_and_deviation():
    assert (mean([1.0, 3.0]), deviation([1.0, 3.0])) == (2.0, pytest.approx(math.sqrt(2)))


@pytest.mark.parametrize("values", [[math.inf, 1.0], [math.nan, 1.0], [math.inf, -math.inf]])
def test_values_without_a_deviation_have_none(values):
    assert math.isnan(deviation(values))
    assert not math.isfinite(mean(values))


def test_the_largest_values_have_a_deviation():
    assert deviation([1e300, 2e300]) == pytest.approx(7.07e299, rel=1e-3)
    assert math.isnan(mean([1e308, 1.7e308, -1.7e308])) or mean([1e308, 1.7e308, -1.7e308])


def test_json_gets_null_for_what_it_has_no_number_for():
    found = as_json({"a": [math.inf, 1.0, (math.nan, 5e-324)], "b": -math.inf, "c": "inf"})
    assert found == {"a": [None, 1.0, [None, 5e-324]], "b": None, "c": "inf"}
    json.dumps(found, allow_nan=False)
