"""Our Parzen estimator draws and rates what Optuna's does, at the edges of the normal too."""

from typing import Any

import numpy as np
import pytest
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.samplers import TPESampler
from optuna.samplers._tpe import _truncnorm
from optuna.samplers._tpe.parzen_estimator import _ParzenEstimator

from lightning_hpo.strategies.parzen import ParzenEstimator, _log_mass, _quantile

SPACE: dict[str, BaseDistribution] = {
    "kind": CategoricalDistribution(("sgd", "adam", None)),
    "dropout": FloatDistribution(0.0, 0.5),
    "lr": FloatDistribution(1e-4, 1e-1, log=True),
    "share": FloatDistribution(0.0, 1.0, step=0.25),
    "filters": IntDistribution(16, 64, step=2),
    "epochs": IntDistribution(1, 100, log=True),
}
# Bounds of cut normals: around 0, in either tail, far out, narrow and wide.
LOW = np.array([-1.0, -0.5, 2.0, -9.0, 8.0, -30.0, 25.0, -40.0, 0.0, -1e-9, 3.0])
HIGH = np.array([1.0, 3.0, 3.0, -8.0, 12.0, -29.0, 26.0, 40.0, 1e-9, 0.0, np.inf])


def observed(space: dict[str, BaseDistribution], n: int) -> dict[str, np.ndarray[Any, Any]]:
    """Values of ``n`` trials, as Optuna keeps them."""
    rng = np.random.default_rng(n)
    drawn = {
        "kind": rng.integers(0, 3, n).astype(float),
        "dropout": rng.uniform(0, 0.5, n),
        "lr": np.exp(rng.uniform(np.log(1e-4), np.log(1e-1), n)),
        "share": rng.integers(0, 5, n) / 4,
        "filters": 16.0 + 2 * rng.integers(0, 25, n),
        "epochs": rng.integers(1, 101, n).astype(float),
    }
    return {name: drawn[name] for name in space}


def estimators(space: dict[str, BaseDistribution], n: int) -> tuple[Any, Any]:
    settings = TPESampler()._parzen_estimator_parameters
    told = (observed(space, n), space, settings)
    return ParzenEstimator(*told), _ParzenEstimator(*told)


# Rule: by the same random numbers the same points are drawn, and they are as likely.
@pytest.mark.parametrize("names", [["kind"], ["lr"], ["epochs", "kind"], [*SPACE]])
@pytest.mark.parametrize("n", [0, 1, 2, 40, 400])
def test_points_and_their_densities_are_optunas(names: list[str], n: int) -> None:
    ours, theirs = estimators({name: SPACE[name] for name in names}, n)
    found = ours.sample(np.random.RandomState(3), 24)
    expected = theirs.sample(np.random.RandomState(3), 24)
    assert list(found) == names
    for name in names:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-9, err_msg=name)
    np.testing.assert_allclose(ours.log_pdf(expected), theirs.log_pdf(expected), rtol=1e-9)


# Rule: no tail is too far out to have a mass, and a whole is 1.
def test_the_mass_of_a_cut_normal_is_optunas() -> None:
    found = _log_mass(LOW, HIGH)
    np.testing.assert_allclose(found, _truncnorm._log_gauss_mass(LOW, HIGH), rtol=1e-8)
    assert np.isfinite(found).all()
    assert _log_mass(np.array([-np.inf]), np.array([np.inf]))[0] == 0.0


# Rule: a quantile lies within the bounds, and the middle of a normal cut evenly is 0.
@pytest.mark.parametrize("quantile", [1e-6, 0.1, 0.5, 0.9, 1 - 1e-6])
def test_quantiles_of_a_cut_normal_are_optunas(quantile: float) -> None:
    at = np.full(len(LOW), quantile)
    found = _quantile(at, LOW, HIGH)
    np.testing.assert_allclose(found, _truncnorm.ppf(at, LOW, HIGH), rtol=1e-7, atol=1e-12)
    assert (found >= LOW - 1e-9).all() and (found <= HIGH + 1e-9).all()


def test_the_middle_of_a_normal_that_is_cut_evenly_is_its_mean() -> None:
    bounds = np.array([0.5, 1.0, 10.0])
    np.testing.assert_allclose(_quantile(np.full(3, 0.5), -bounds, bounds), 0.0, atol=1e-12)
