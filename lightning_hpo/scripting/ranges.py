"""Ranges to search, written in Python: each is the text that the command line has for it."""

from dataclasses import dataclass
from decimal import Decimal
from numbers import Integral
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from lightning_hpo.composition.literals import literal
from lightning_hpo.errors import UserError


@dataclass(frozen=True)
class Range:
    """What is searched, by its ``text`` on the command line; made by the functions beside it."""

    text: str

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return self.text


def interval(low: float, high: float) -> Range:
    """Real numbers to search, on a linear scale.

    Args:
        low: the smallest.
        high: the largest, at least ``low``.

    Returns:
        The range, as the command line has it.

    Raises:
        UserError: for ends that are no numbers.

    Examples:
        >>> interval(0, 0.5)
        interval(0,0.5)
    """
    return Range(f"interval({_end(low)},{_end(high)})")


def log_interval(low: float, high: float) -> Range:
    """Real numbers to search on a logarithmic scale: each order of magnitude gets as many tries.

    Args:
        low: the smallest, above 0.
        high: the largest, at least ``low``.

    Returns:
        The range, as the command line has it.

    Raises:
        UserError: for ends that are no numbers.

    Examples:
        A learning rate:

        >>> log_interval(1e-4, 1e-1)
        tag(log,interval(0.0001,0.1))
    """
    return Range(f"tag(log,{interval(low, high)})")


def integers(low: int, high: int, *, step: int = 1, log: bool = False) -> Range:
    """Integers to search, both ends included.

    Args:
        low: the smallest; above 0 on a logarithmic scale.
        high: the largest, at least ``low``.
        step: distance of one from the next, at least 1.
        log: on a logarithmic scale, which has step 1.

    Returns:
        The range, as the command line has it: there the second number is left out.

    Raises:
        UserError: for what is no integer, and for a logarithmic scale with another step.

    Examples:
        >>> integers(16, 128, step=16)
        range(16,129,16)
    """
    for name, value in {"low": low, "high": high, "step": step}.items():
        if isinstance(value, bool) or not isinstance(value, Integral):
            raise UserError(
                f"integers() takes integers, got {name}={value!r}; use interval(low, high) for"
                " real numbers."
            )
    if log and step != 1:
        raise UserError(f"integers on a logarithmic scale have step=1, got step={step}.")
    # The end of a range is left out.
    steps = f"range({low},{high + 1}{'' if step == 1 else f',{step}'})"
    return Range(f"tag(log,{steps})" if log else steps)


def choice(*options: Any) -> Range:
    """One of several values is searched.

    Args:
        options: texts, numbers, True, False, None, lists or mappings; at least one beside None.

    Returns:
        The choice, as the command line has it.

    Raises:
        UserError: for no options, and for one that the command line cannot say.

    Examples:
        >>> choice("relu", "gelu")
        choice(relu,gelu)
    """
    if not options or options == (None,):
        raise UserError(
            f"choice() takes the options to choose from, got choice({'None' if options else ''});"
            " write choice('relu', 'gelu')."
        )
    joined = ",".join(map(plain, options))
    # Hydra's function of this name takes no null.
    return Range(joined if None in options else f"choice({joined})")


def from_distribution(found: BaseDistribution) -> Range:
    """What an Optuna distribution is on the command line."""
    if isinstance(found, CategoricalDistribution):
        return choice(*found.choices)
    if isinstance(found, IntDistribution):
        return integers(found.low, found.high, step=found.step, log=found.log)
    if isinstance(found, FloatDistribution) and found.step is not None:
        low, high, step = (Decimal(repr(end)) for end in (found.low, found.high, found.step))
        return Range(f"range({low:f},{high + step / 2:f},{step:f})")
    assert isinstance(found, FloatDistribution)
    scale = log_interval if found.log else interval
    return scale(found.low, found.high)


def plain(value: Any) -> str:
    """A value as the command line has it; raises :class:`UserError` for what it cannot say."""
    try:
        return literal(value)
    except TypeError as error:
        raise UserError(
            f"a value must be a text, a number, True, False, None, a list or a mapping: {error}."
        ) from None


def _end(value: float) -> str:
    if isinstance(value, bool | str):
        raise UserError(f"the ends of a range must be numbers, got {value!r}.")
    return plain(value)
