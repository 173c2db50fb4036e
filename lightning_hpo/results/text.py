"""Numbers, counts and ranges in words."""

import math
from collections.abc import Sequence

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

_ORDINALS = ("first", "second", "third", "fourth", "fifth")
_ENDINGS = {1: "st", 2: "nd", 3: "rd"}


def number(value: object) -> str:
    """Four significant digits for a float, anything else as it is written."""
    if value is None:
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def parameter(value: object) -> str:
    """A parameter's value: none at all is one of them, as it is typed."""
    return "null" if value is None else number(value)


def plus_minus(mean: float, std: float | None) -> str:
    """Mean and standard deviation with the same decimals: two significant digits of the latter."""
    if std is None or not math.isfinite(std):
        return number(mean)
    if abs(mean) >= 1e9:
        return f"{number(mean)} ± {number(std)}"
    decimals = 4 if std == 0 else min(max(1 - math.floor(math.log10(std)), 0), 8)
    return f"{mean:.{decimals}f} ± {std:.{decimals}f}"


def percent(fraction: float) -> str:
    """A fraction in per cent; what is not quite all or nothing does not become it by rounding."""
    if 0 < fraction < 0.01:
        return "under 1 %"
    return "over 99 %" if 0.99 < fraction < 1 else f"{round(100 * fraction)} %"


def count(many: int, noun: str) -> str:
    return f"{many} {noun}" if many == 1 else f"{many} {noun}s"


def ordinal(number: int) -> str:
    """``first`` of 1, ..., ``fifth`` of 5, then ``6th``."""
    if number <= len(_ORDINALS):
        return _ORDINALS[number - 1]
    is_teen = number % 100 in (11, 12, 13)
    return f"{number}{'th' if is_teen else _ENDINGS.get(number % 10, 'th')}"


def listing(items: Sequence[str]) -> str:
    """``a, b and c``."""
    return " and ".join(filter(None, [", ".join(items[:-1]), *items[-1:]]))


def duration(seconds: float | None) -> str:
    if seconds is None:
        return "–"
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest_s = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest_s} s"


def value_range(distribution: BaseDistribution) -> str:
    """``0.0001 to 0.1``, with the step where there is one, or the choices."""
    if isinstance(distribution, (FloatDistribution, IntDistribution)):
        coarse = distribution.step not in (None, 1)
        step = f", step {number(distribution.step)}" if coarse else ""
        return f"{number(distribution.low)} to {number(distribution.high)}{step}"
    assert isinstance(distribution, CategoricalDistribution)
    return ", ".join(map(parameter, distribution.choices))


def scale(distribution: BaseDistribution) -> str:
    if not isinstance(distribution, (FloatDistribution, IntDistribution)):
        return "choice"
    kind = "whole numbers" if isinstance(distribution, IntDistribution) else "numbers"
    return f"{kind}, logarithmic" if distribution.log else kind


def roughly(seconds: float) -> str:
    """Seconds in one unit, as estimates and clocks are told: ``45 s``, ``12 min``, ``3.5 h``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
