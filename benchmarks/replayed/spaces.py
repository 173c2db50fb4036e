"""A recording's search space: what is suggested of it, and a suggestion as a point of numbers."""

import math
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.samplers import RandomSampler
from optuna.study import create_study
from optuna.trial import Trial

from benchmarks.recordings import Recording

Points = NDArray[np.float32]  # (suggestions, features)
# Where a parameter does not exist: outside the interval of those that do.
_ABSENT = -1.0


def suggest(trial: Trial, recording: Recording) -> dict[str, Any]:
    """Every parameter whose condition holds."""
    for name, distribution in recording.space.items():
        parents = recording.conditions.get(name, {})
        if all(_among(trial.params.get(parent), wanted) for parent, wanted in parents.items()):
            trial._suggest(name, distribution)
    return trial.params


@cache
def random_params(recording: Recording, n: int) -> list[dict[str, Any]]:
    """The same ``n`` random suggestions in each call."""
    study = create_study(sampler=RandomSampler(seed=0))
    return [suggest(study.ask(), recording) for _ in range(n)]


def points(params: list[Mapping[str, Any]], space: Mapping[str, BaseDistribution]) -> Points:
    """Numbers in [0, 1], logarithms where the space has them; a category is one for each choice."""
    rows = [
        [x for name, d in space.items() for x in _features(each.get(name), d)] for each in params
    ]
    return np.array(rows, dtype=np.float32)


def _features(value: Any, distribution: BaseDistribution) -> list[float]:
    if isinstance(distribution, CategoricalDistribution):
        return [float(value == choice) for choice in distribution.choices]
    if value is None:
        return [_ABSENT]
    scale = math.log if distribution.log else float  # type: ignore[attr-defined]
    low, high = scale(distribution.low), scale(distribution.high)  # type: ignore[attr-defined]
    return [(scale(value) - low) / (high - low)]


def _among(value: Any, wanted: Any) -> bool:
    return value in (wanted if isinstance(wanted, list) else [wanted])
