"""What the columns of a table are taken for, in a line for each kind."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_MOST_NAMES = 10
# Kinds whose reasons say little: of a number its span.
_PLAIN = ("number", "ignored")


def column_words(columns: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Of the columns of a data description (``told.DescribesData``); nothing where it has none.

    The kinds stand in the order of their first columns.
    """
    kinds = dict.fromkeys(str(column.get("kind")) for column in columns)
    for kind in kinds:
        of_kind = [column for column in columns if column.get("kind") == kind]
        shown = [_shown(column) for column in of_kind[:_MOST_NAMES]]
        if len(of_kind) > _MOST_NAMES:
            shown.append(f"{len(of_kind) - _MOST_NAMES} more")
        yield f"taken as {kind}: {', '.join(shown)}"


def _shown(column: Mapping[str, Any]) -> str:
    known = [
        "" if column.get("kind") in _PLAIN else str(column.get("note") or ""),
        f"{column['distinct']} different" if column.get("kind") == "category" else "",
        f"{column['missing']} missing" if column.get("missing") else "",
    ]
    said = ", ".join(filter(None, known))
    return f"{column.get('name')} ({said})" if said else str(column.get("name"))
