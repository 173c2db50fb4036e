"""Optuna's Parzen estimator, with SciPy's normal distribution in place of Optuna's own.

Optuna does without SciPy, and so asks for the logarithm of a tail one number at a time, in Python:
most of the time of a suggestion. What is drawn and how likely it is are the same up to rounding.
"""

from typing import Any

import numpy as np
import scipy  # type: ignore[import-untyped]  # comes with scikit-learn; loads its parts when asked
from optuna.samplers._tpe.parzen_estimator import _ParzenEstimator
from optuna.samplers._tpe.probability_distributions import (
    _BatchedCategoricalDistributions,
    _MixtureOfProductDistribution,
    _unique_inverse_2d,
)

Array = np.ndarray[Any, Any]

_LOG_OF_ROOT_OF_TAU = 0.5 * np.log(2 * np.pi)


class ParzenEstimator(_ParzenEstimator):
    """Optuna's, computed by SciPy."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._mixture_distribution = Mixture(*self._mixture_distribution)


class Mixture(_MixtureOfProductDistribution):
    """Weighted kernels, each a product of one distribution for each parameter."""

    def sample(self, rng: np.random.RandomState, batch_size: int) -> Array:
        """Points (batch_size, parameters), by the same random numbers as Optuna's."""
        kernels = rng.choice(len(self.weights), p=self.weights, size=batch_size)
        drawn = np.empty((batch_size, len(self.distributions)))
        numbers = []
        for i, each in enumerate(self.distributions):
            if isinstance(each, _BatchedCategoricalDistributions):
                drawn[:, i] = _chosen(each.weights[kernels], rng.rand(batch_size))
            else:
                numbers.append(i)
        if numbers:
            quantiles = rng.uniform(size=(len(numbers), batch_size))
            for i, quantile in zip(numbers, quantiles, strict=True):
                drawn[:, i] = _number(self.distributions[i], kernels, quantile)
        return drawn

    def log_pdf(self, x: Array) -> Array:
        """Logarithms of the densities at the points ``x`` (points, parameters)."""
        terms = np.tile(np.log(self.weights), (len(x), 1))
        for i, each in enumerate(self.distributions):
            terms += _log_density(each, x[:, i])
        most = terms.max(axis=1)
        return np.asarray(np.log(np.exp(terms - most[:, np.newaxis]).sum(axis=1)) + most)


def _chosen(weights: Array, quantiles: Array) -> Array:
    """The options (points,) at these quantiles of ``weights`` (points, options)."""
    reached = np.cumsum(weights, axis=-1)
    reached[:, -1] = 1.0
    return np.asarray(np.sum(reached < quantiles[:, np.newaxis], axis=-1))


def _number(kernel: Any, kernels: Array, quantiles: Array) -> Array:
    """The numbers (points,) at these quantiles of the normals ``kernels``, cut to the range."""
    mu, sigma = kernel.mu[kernels], kernel.sigma[kernels]
    low, high = (kernel.adapted_low - mu) / sigma, (kernel.adapted_high - mu) / sigma
    numbers = _quantile(quantiles, low, high) * sigma + mu
    if kernel.is_log:
        numbers = np.exp(numbers)
    if kernel.step == 0.0:
        return numbers
    steps = np.round((numbers - kernel.low) / kernel.step)
    return np.clip(kernel.low + steps * kernel.step, kernel.low, kernel.high)


def _log_density(kernel: Any, x: Array) -> Array:
    """Logarithms (points, kernels) of one parameter's density, or of an option's probability."""
    if isinstance(kernel, _BatchedCategoricalDistributions):
        return np.log(kernel.weights.T[x.astype(np.int64)])
    if kernel.step != 0.0:
        return _log_probability(kernel, x)
    at = np.log(x) if kernel.is_log else x
    mu, sigma = kernel.mu, kernel.sigma
    low, high = (kernel.adapted_low - mu) / sigma, (kernel.adapted_high - mu) / sigma
    scale = _log_mass(low, high) + np.log(sigma) + _LOG_OF_ROOT_OF_TAU
    return -0.5 * ((at[:, np.newaxis] - mu) / sigma) ** 2 - scale


def _log_probability(kernel: Any, x: Array) -> Array:
    """The same of a step of a grid; many trials share a value, so each kernel is asked once."""
    steps, of_step = np.unique(x, return_inverse=True)
    mu, sigma, of_kernel = _unique_inverse_2d(kernel.mu, kernel.sigma)
    edges = steps[:, np.newaxis] + kernel.step * np.array([-0.5, 0.5])
    edges = np.log(edges) if kernel.is_log else edges
    left, right = ((edge[:, np.newaxis] - mu) / sigma for edge in edges.T)
    low, high = (kernel.adapted_low - mu) / sigma, (kernel.adapted_high - mu) / sigma
    found = _log_mass(left, right) - _log_mass(low, high)
    return np.asarray(found[np.ix_(of_step, of_kernel)])


def _log_mass(low: Array, high: Array) -> Array:
    """Logarithms of the standard normal's mass between ``low`` and ``high``.

    Both tails are computed as the left one, where differences keep their digits.
    """
    is_right = low > 0
    low, high = np.where(is_right, -high, low), np.where(is_right, -low, high)
    with np.errstate(divide="ignore"):
        found = np.log1p(-scipy.special.ndtr(low) - scipy.special.ndtr(-high))
    if (is_tail := high <= 0).any():
        inner, outer = scipy.special.log_ndtr(high[is_tail]), scipy.special.log_ndtr(low[is_tail])
        found[is_tail] = inner + np.log1p(-np.exp(outer - inner))
    return np.asarray(found)


def _quantile(quantiles: Array, low: Array, high: Array) -> Array:
    """Numbers at these quantiles of standard normals that are cut to ``low`` and ``high``."""
    is_left = low < 0
    with np.errstate(divide="ignore"):
        share = np.where(is_left, np.log(quantiles), np.log1p(-quantiles))
    outside = scipy.special.log_ndtr(np.where(is_left, low, -high))
    found = scipy.special.ndtri_exp(np.logaddexp(outside, share + _log_mass(low, high)))
    return np.where(is_left, found, -found)
