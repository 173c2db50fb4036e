"""Mean and standard deviation of any floats, and any floats as JSON knows them."""

import math
from collections.abc import Mapping, Sequence
from statistics import fmean, stdev
from typing import Any


def mean(values: Sequence[float]) -> float:
    """Not a number where there is none, as of values that are infinite in both directions."""
    try:
        return fmean(values)
    except (OverflowError, ValueError):
        return math.nan


def deviation(values: Sequence[float]) -> float:
    """The sample standard deviation of at least two values; of infinite ones not a number."""
    if not all(map(math.isfinite, values)):
        return math.nan
    try:
        return stdev(values)
    except OverflowError:
        return math.inf


def as_json(content: Any) -> Any:
    """``content`` with null for what JSON has no number for: infinite values, and none."""
    if isinstance(content, float):
        return content if math.isfinite(content) else None
    if isinstance(content, Mapping):
        return {key: as_json(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [as_json(value) for value in content]
    return content
