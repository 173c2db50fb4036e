"""The section of the data: what the data module told of them, in words, counts and columns."""

from collections.abc import Mapping, Sequence
from typing import Any

from lightning_hpo.report.html.markup import (
    bullets,
    cell,
    definitions,
    paragraphs,
    share_bar,
    table,
    text,
)
from lightning_hpo.results.record import Record
from lightning_hpo.results.results import ClassOf, ColumnOf, DescriptionOf
from lightning_hpo.results.text import listing, number

# More classes or columns than these are shown as the first of them.
MOST_ROWS = 200


def has_one(record: Record) -> bool:
    """Whether the data told anything of themselves."""
    return bool(record.results.get("data_description"))


def content(record: Record) -> str:
    """Doubts first, then sizes, notes, classes and columns."""
    found = record.results.get("data_description") or DescriptionOf()
    return (
        paragraphs(found.get("warnings") or [], css="warning")
        + definitions(_sizes(found))
        + bullets(found.get("notes") or [])
        + _classes(found.get("classes") or [])
        + _columns(found.get("columns") or [])
    )


def _sizes(found: DescriptionOf) -> list[tuple[str, object]]:
    shape = list(found.get("shape") or [])
    counts = [f"{n:,} {_PARTS.get(part, part)}" for part, n in _samples(found).items()]
    return [
        ("Samples", listing(counts)),
        (_kind_of(shape), " x ".join(map(str, shape))),
        ("Sizes of the files", found.get("original_sizes")),
        ("Classes", len(found.get("classes") or []) or None),
        ("Columns", len(found.get("columns") or []) or None),
    ]


_PARTS = {"train": "to train and validate", "test": "to test"}


def _samples(found: DescriptionOf) -> dict[str, int]:
    return {part: n for part, n in (found.get("samples") or {}).items() if n is not None}


def _kind_of(shape: Sequence[int]) -> str:
    kinds = {1: "Numbers of a sample", 3: "Channels, height and width of a sample"}
    return kinds.get(len(shape), "Shape of a sample")


def _classes(classes: Sequence[ClassOf]) -> str:
    """A row for each class, with a bar as long as its share of the largest."""
    if not classes:
        return ""
    tested = any(each.get("test") is not None for each in classes)
    largest = max((each["train"] or 0 for each in classes), default=0) or 1
    total = sum(each["train"] or 0 for each in classes) or 1
    rows = [
        [
            cell(text(each["name"]), head=True, key=each["name"]),
            _counted(each, "train"),
            cell(share_bar((each["train"] or 0) / largest), key=each["train"] or 0),
            cell(f"{100 * (each['train'] or 0) / total:.1f} %", key=(each["train"] or 0) / total),
            *([_counted(each, "test")] if tested else []),
        ]
        for each in classes[:MOST_ROWS]
    ]
    columns = ["Class", "To train", "", "Share", *["To test"] * tested]
    return table(_title("Samples of each class", len(classes)), columns, rows)


def _counted(of: Mapping[str, Any], key: str) -> str:
    """A cell with a whole number, or a dash."""
    n = of.get(key)
    return cell("–" if n is None else f"{n:,}", key="" if n is None else n)


def _columns(columns: Sequence[ColumnOf]) -> str:
    """A row for each column of a table; a note is there where one of them has any."""
    if not columns:
        return ""
    noted = any(each.get("note") for each in columns)
    rows = [
        [
            cell(f"<code>{text(number(each.get('name')))}</code>", head=True),
            cell(text(number(each.get("kind")))),
            _counted(each, "missing"),
            _counted(each, "distinct"),
            *([cell(text(each.get("note") or ""), css="long")] if noted else []),
        ]
        for each in columns[:MOST_ROWS]
    ]
    names = ["Column", "Taken for", "Missing", "Different values", *["Note"] * noted]
    return table(_title("Columns of the table", len(columns)), names, rows, css="sortable")


def _title(what: str, n: int) -> str:
    return what if n <= MOST_ROWS else f"{what}, the first {MOST_ROWS} of {n:,}"
