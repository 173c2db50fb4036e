"""The estimates that the nested benchmark compares are what it says they are."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.honest_worlds import STEADY, fitted
from benchmarks.nested import bias, estimated, true_risk


# Rule: the true risk is that of new samples, to within their own noise.
def test_the_true_risk_is_the_error_on_many_new_samples() -> None:
    rng, world = np.random.default_rng(0), replace(STEADY, models=2)
    inputs, targets = world.draw(rng, 1, world.n)
    weights = fitted(inputs[0], targets)
    new_inputs, new_targets = world.draw(rng, 1, 200_000)
    apart = new_targets - new_inputs[0] @ weights[0]
    assert true_risk(world, weights)[0] == pytest.approx(np.mean(apart**2), rel=0.02)


# Rule: the best of many equals flatters itself; what was chosen without the fold does not.
def test_the_naive_estimate_is_too_good_and_the_nested_one_is_not() -> None:
    found = estimated(np.random.default_rng(0), replace(STEADY, models=10), 40)
    naive, error = bias(found.naive, found.truth)
    assert naive < -3 * error
    nested, error = bias(found.nested.mean(axis=1), found.truths.mean(axis=1))
    assert abs(nested) < 2.5 * error
    assert found.nested.shape == (40, 5)
