"""The section of a lock box: closed, or what each opening of it showed."""

from collections.abc import Iterator, Sequence

from lightning_hpo.errors import UserError
from lightning_hpo.protocol.lock_box import Opening, openings
from lightning_hpo.report.html.markup import bullets, command, paragraphs, typed
from lightning_hpo.results.record import Record
from lightning_hpo.results.text import count, number, ordinal, percent


def has_one(record: Record) -> bool:
    return not record.is_guest and record.results.get("lock_box") is not None


def content(record: Record) -> str:
    """How often it was opened, and what it showed."""
    share = record.results.get("lock_box") or 0.0
    try:
        found = openings(record.folder)
    except UserError as error:
        # No reason to leave out the rest of the page.
        return paragraphs([str(error)])
    kept = f"{percent(share)} of the training samples, which no trial, fold or refit has seen."
    if not found:
        closed = "It has not been opened. Open it once, when nothing will be changed any more:"
        line = f"python -m lightning_hpo.unlock {typed(record.folder)}"
        return paragraphs([f"It holds {kept}", closed]) + command(line)
    return paragraphs([f"It holds {kept}", *_warnings(found)]) + bullets(map(_line, found))


def _line(opening: Opening) -> str:
    values = []
    for name, value in opening["metrics"].items():
        reach = opening["intervals"].get(name)
        words = (
            "" if reach is None else f" (95 % interval {number(reach[0])} to {number(reach[1])})"
        )
        values.append(f"{name} = {number(value)}{words}")
    return (
        f"The {ordinal(opening['number'])} opening, at {opening['when']}, of"
        f" {count(opening['n_samples'], 'sample')}: {', '.join(values)}."
    )


def _warnings(found: Sequence[Opening]) -> Iterator[str]:
    """What more than one opening means."""
    if len(found) == 1:
        return
    networks = len({opening["checkpoint"] for opening in found})
    of = "of the same network" if networks == 1 else f"of {networks} networks"
    yield (
        f"It was opened {len(found)} times, {of}: only the first value is of samples that nobody"
        " could choose by."
    )
