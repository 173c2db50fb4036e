"""Values as Hydra's override grammar writes them: read again, each is what it was."""

import re
from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from typing import Any

from hydra._internal.grammar.utils import escape_special_characters
from hydra.core.override_parser.types import Quote, QuotedString

# Text that stays itself without quotes, unless it spells one of the words below.
_BARE = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*", re.ASCII)
_NOT_TEXT = ("true", "false", "null", "nan", "inf")


def literal(value: Any) -> str:
    """``value`` as the part behind ``=``; text that looks like anything else is quoted.

    An interpolation is one with and without quotes, as everywhere in Hydra.

    Raises:
        TypeError: for what the grammar cannot say.
    """
    if value is None:
        return "null"
    if isinstance(value, str):
        return value if _is_bare(value) else QuotedString(value, Quote.single).with_quotes()
    if isinstance(value, bool | Integral):
        return str(value)
    if isinstance(value, Real):
        # Also of NumPy, whose representation names its type.
        return repr(float(value))
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{_key(k)}:{literal(v)}" for k, v in value.items()) + "}"
    if isinstance(value, Sequence):
        return "[" + ",".join(map(literal, value)) + "]"
    raise TypeError(f"an override cannot hold {value!r}, a {type(value).__name__}")


def _is_bare(text: str) -> bool:
    return _BARE.fullmatch(text) is not None and text.lower() not in _NOT_TEXT


def _key(key: Any) -> str:
    # Keys of a mapping cannot be quoted.
    return escape_special_characters(key) if isinstance(key, str) else literal(key)
