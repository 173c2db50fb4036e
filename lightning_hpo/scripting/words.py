"""A mapping of dotted keys to values and ranges as the words of a command line."""

import os
import re
from collections.abc import Iterator, Mapping
from numbers import Integral, Real
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from optuna.distributions import BaseDistribution

from lightning_hpo.composition.literals import literal
from lightning_hpo.errors import UserError
from lightning_hpo.scripting.ranges import Range, from_distribution

# A text that is one of these functions of Hydra's is a range, as in a file of configuration.
_SWEEP = re.compile(r"(choice|interval|range|tag|glob|shuffle|sort)\(.*\)", re.DOTALL)
_KEY = re.compile(r"(\+|\+\+)?[\w/@.:$-]+")


def words(mapping: Mapping[str, Any]) -> list[str]:
    """One word ``key=value`` for each entry.

    Raises:
        UserError: for a key that is none, and for what no word can say.
    """
    return [f"{checked_key(key)}={text_of(key, value)}" for key, value in mapping.items()]


def text_of(key: str, value: Any) -> str:
    """The ``value`` of ``key`` behind ``=``, which reads as the very same, or its range."""
    found = range_of(value)
    if found is not None:
        return found.text
    if any(range_of(member) is not None for member in _members(value)):
        raise UserError(
            f"a range must be the value of a key of its own, got {key}={value!r}; write its whole"
            f" key with dots, as '{key}.name'."
        )
    known = plain_members(value)
    text = literal(known)
    if repr(_read(text)) != repr(known):
        raise UserError(
            f"{key} must have a value that an override can carry, got {value!r}; keys within it"
            " must be names."
        )
    return text


def range_of(value: Any) -> Range | None:
    """What is to be searched; None for a fixed value."""
    if isinstance(value, Range):
        return value
    if isinstance(value, BaseDistribution):
        return from_distribution(value)
    if isinstance(value, str) and _SWEEP.fullmatch(value.strip()):
        return Range(value)
    return None


def checked_key(key: Any) -> str:
    """``key``, if it is one; raises :class:`UserError` where it is not."""
    if not isinstance(key, str) or not _KEY.fullmatch(key):
        raise UserError(
            f"a key must be a name with dots such as 'model.dropout', got {key!r}; other words of"
            " the command line, such as '~data', are texts of their own."
        )
    return key


def _read(text: str) -> Any:
    """What the grammar makes of a value; keys within a mapping have no quotes there."""
    try:
        return OverridesParser.create().parse_override(f"key={text}").value()
    except HydraException:
        return None


def plain_members(value: Any) -> Any:
    """``value`` with paths as texts, NumPy's numbers as Python's, and sequences as lists."""
    match value:
        case os.PathLike():
            return os.fspath(value)
        case str():
            return str(value)
        case Mapping():
            return {key: plain_members(member) for key, member in value.items()}
        case list() | tuple():
            return [plain_members(member) for member in value]
        case None | bool():
            return value
        case Integral():
            return int(value)
        case Real():
            return float(value)
    raise UserError(
        "a value must be a text, a number, True, False, None, a list, a mapping or a range, got"
        f" {value!r}, a {type(value).__name__}."
    )


def _members(value: Any) -> Iterator[Any]:
    if isinstance(value, Mapping | list | tuple):
        for member in value.values() if isinstance(value, Mapping) else value:
            yield member
            yield from _members(member)
